/* The receptive field of a layer on the input, and what happens when the page opens. */

/** The spatial sizes of the first input: those after batch and channels. */
function imageSize(network) {
  const shape = network.run.inputs?.[0]?.shape ?? [];
  return shape.length === 4 ? shape.slice(2) : [];
}

/** The positions of the row's output map; null where it has none along the axes of the image. */
function positionsOf(line) {
  const shape = line.data?.output_shape?.value?.[0] ?? [];
  return shape.length === 4 ? shape.slice(2) : null;
}

/**
 * Whether size, jump and padding give the region of each position: they are the same numbers for all, and the last
 * position reaches as far over the end as the first over the start. A map whose channels come last fails this.
 */
function isPlaced(field, axis, map, image) {
  const [size, jump, padding] = [field.size?.[axis], field.jump?.[axis], field.padding?.[axis]];
  if (field.size?.length !== 2 || ![size, jump, padding].every(Number.isInteger) || size === 0) return false;
  const over = (map[axis] - 1) * jump - padding + size - image[axis];
  return Math.abs(over - padding) <= 2 * jump;
}

/** First and last pixel along an axis, without the border of the image. */
function seenAlong(field, axis, position) {
  const first = position * field.jump[axis] - field.padding[axis];
  return [first, first + field.size[axis] - 1];
}

const hasViewer = (network) => imageSize(network).length > 0 && network.lines.some((line) => line.data?.receptive_field);

/** Fill a part of the page: choose a layer and a position of its output, and see the region of the input that it reads. */
function drawViewer(section, network) {
  const image = imageSize(network);
  const rows = network.lines.filter((line) => line.data?.receptive_field);
  const canBeDrawn = (line) => positionsOf(line) && image.every((_, axis) => isPlaced(line.data.receptive_field, axis, positionsOf(line), image));
  // Until a row is chosen: the last map that does not see the whole image, of those that can be drawn.
  const maps = rows.filter((line) => line.data.receptive_field.size?.length === 2 && positionsOf(line));
  const within = maps.filter((line) => image.some((length, axis) => sizeAlong(line.data.receptive_field, axis) < length));
  let shown = within.findLast(canBeDrawn) ?? within.at(-1) ?? rows[0];
  let picture = null;
  const places = (positionsOf(shown) ?? [1, 1]).map((count) => Math.floor(count / 2));

  const id = `layer${networks.indexOf(network)}`;
  const layer = element("select", { name: "layer", id }, ...rows.map((line, index) => element("option", { value: index }, labelOf(line))));
  layer.addEventListener("change", () => { shown = rows[layer.value]; chooseRow(shown); draw(); });
  const sliders = ["row", "column"].map((name, axis) => {
    const slider = element("input", { type: "range", min: 0, name });
    slider.addEventListener("input", () => { places[axis] = Number(slider.value); draw(); });
    return slider;
  });
  const file = element("input", { type: "file", accept: "image/*", name: "picture" });
  file.addEventListener("change", () => {
    if (picture) URL.revokeObjectURL(picture);
    picture = file.files[0] ? URL.createObjectURL(file.files[0]) : null;
    draw();
  });
  const labels = sliders.map((slider) => element("label", {}, `${slider.name} of its output`, slider));
  const map = element("svg:svg", { role: "img" });
  const seen = element("svg:svg", { role: "img" });
  const [ofMap, ofInput, words] = [element("figcaption"), element("figcaption"), element("p", { role: "status" })];
  const choosePlace = (event) => {
    const counts = positionsOf(shown);
    const { left, top, width, height } = map.getBoundingClientRect();
    [(event.clientY - top) / height, (event.clientX - left) / width].forEach((part, axis) => {
      places[axis] = Math.min(Math.max(Math.floor(part * counts[axis]), 0), counts[axis] - 1);
    });
    draw();
  };
  map.addEventListener("pointerdown", choosePlace);
  map.addEventListener("pointermove", (event) => { if (event.buttons) choosePlace(event); });
  const outer = element("figure", { class: "map" }, ofMap, map);
  section.append(element("div", { class: "viewer" },
      element("form", {}, element("div", {}, element("label", { for: id }, "layer"), layer), ...labels, element("label", {}, "your image (it stays on this machine)", file)),
      outer, element("figure", {}, ofInput, seen)), words);

  function draw() {
    const field = shown.data.receptive_field;
    const counts = positionsOf(shown);
    const whole = field.status === "exact" && !field.size;
    const placed = !whole && field.status === "exact" && canBeDrawn(shown);
    layer.value = rows.indexOf(shown);
    for (const part of [...labels, outer]) part.hidden = !placed;
    seen.setAttribute("aria-label", `What ${labelOf(shown)} sees of the input`);
    const edges = placed ? image.map((length, axis) => [Math.min(0, -field.padding[axis]), Math.max(length, seenAlong(field, axis, counts[axis] - 1)[1] + 1)]) : image.map((length) => [0, length]);
    const [[top, bottom], [left, right]] = edges;
    const padded = edges.some(([from, to], axis) => from < 0 || to > image[axis]);
    ofInput.textContent = `input, ${image.join("x")}${padded ? ", and the padding that some position sees" : ""}`;
    seen.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
    const box = (name, [first, last]) => element("svg:rect", { class: name, x: first[1], y: first[0], width: last[1] - first[1] + 1, height: last[0] - first[0] + 1 });
    const ends = image.map((length) => length - 1);
    const parts = [box("ground", [[0, 0], ends])];
    if (padded) parts.push(box("padding", [[top, left], [bottom - 1, right - 1]]));
    if (picture) parts.push(element("svg:image", { href: picture, width: image[1], height: image[0], preserveAspectRatio: "none" }));
    if (placed) {
      counts.forEach((count, axis) => {
        places[axis] = Math.min(places[axis], count - 1);
        sliders[axis].max = count - 1;
        sliders[axis].value = places[axis];
      });
      const range = places.map((place, axis) => seenAlong(field, axis, place));
      const [first, last] = [range.map(([from]) => from), range.map(([, to]) => to)];
      const clipped = [first.map((each) => Math.max(each, 0)), last.map((each, axis) => Math.min(each, ends[axis]))];
      if (clipped[0].every((each, axis) => each <= clipped[1][axis])) parts.push(box("seen", clipped));
      parts.push(box("beyond", [first, last]));
      drawMap(counts);
      const named = range.map(([from, to]) => `${from} to ${to}`);
      const outside = range.some(([from, to], axis) => from < 0 || to > ends[axis]) ? ` Pixels below 0 or from ${image.join(" and ")} on are padding.` : "";
      words.textContent = `Position ${places.join(", ")} of ${counts.join("x")} sees rows ${named[0]} and columns ${named[1]}.${outside}`;
    } else if (whole) {
      parts.push(box("seen", [[0, 0], ends]));
      words.textContent = `${labelOf(shown)} sees all of the input.`;
    } else words.textContent = `What a position of ${labelOf(shown)} sees is not drawn, since it is not the same region for all positions, or not known. \`cnninspect rf\` with this layer and --at says it for one position.`;
    seen.replaceChildren(...parts);
  }

  function drawMap(counts) {
    map.setAttribute("viewBox", `0 0 ${counts[1]} ${counts[0]}`);
    map.setAttribute("aria-label", `Output of ${labelOf(shown)}, ${counts.join("x")} positions; ${places.join(", ")} is chosen`);
    ofMap.textContent = `output of ${labelOf(shown)}, ${counts.join("x")}: click a position`;
    map.replaceChildren(
      element("svg:rect", { class: "ground", width: counts[1], height: counts[0] }),
      element("svg:rect", { class: "place", x: places[1], y: places[0], width: 1, height: 1 }));
  }

  draw();
  return { follow(line) { if (line.data?.receptive_field && line !== shown) { shown = line; draw(); } } };
}

/**
 * The graph and the viewer of one network; with two, buttons choose which, and the second's are drawn when they are first
 * shown. Returns what keeps them in step with the chosen rows.
 */
function drawPictures() {
  const sections = [["graph", hasGraph, drawGraph, "graph"], ["viewer", hasViewer, drawViewer, "receptive field on the input"]].map(([id, has, draw, what]) => {
    const section = document.getElementById(id);
    const first = section.querySelector(".of-network");
    const parts = networks.map((network, index) => (index ? section.appendChild(first.cloneNode(true)) : first));
    section.hidden = !networks.some(has);
    return { has, draw, what, parts, hidden: section.hidden };
  });
  const drawn = networks.map(() => null);
  let at = 0;
  const buttons = networks.map(({ name }, index) => {
    const made = element("button", { type: "button" }, name);
    made.addEventListener("click", () => show(index));
    return made;
  });
  const sides = document.getElementById("sides");
  sides.append(...buttons);
  sides.hidden = networks.length < 2 || sections.every(({ hidden }) => hidden);

  function show(index) {
    at = index;
    buttons.forEach((each, side) => each.setAttribute("aria-pressed", String(side === index)));
    for (const { parts } of sections) parts.forEach((part, side) => { part.hidden = side !== index; });
    const network = networks[index];
    drawn[index] ??= sections.filter(({ hidden }) => !hidden).map(({ has, draw, what, parts }) => {
      if (has(network)) return draw(parts[index], network);
      parts[index].replaceChildren(element("p", { class: "quiet" }, `There is no ${what} of ${network.name}: its report has none.`));
      return { follow() {} };
    });
  }
  show(0);
  return {
    follow(rows) {
      if (!rows.length) return;
      const seen = rows.find((row) => row.network === networks[at]) ?? rows[0];
      if (seen.network !== networks[at]) show(networks.indexOf(seen.network));
      for (const each of drawn[at]) each.follow(seen);
    },
  };
}

// --- when the page opens --------------------------------------------------------------------------------------------

tools.hidden = false;
if (lines.every((line) => !line.below.length)) for (const name of ["flat", "expand", "collapse"]) {
  const part = tools.querySelector(`[name="${name}"]`);
  (part.closest("label") ?? part).hidden = true;
}
if (compares) only.value = ["differ", "unsure"].find((value) => { only.value = value; return lines.some(fits); }) ?? "";
foldTo(100);
arrange();
drawCharts();
pictures = drawPictures();
for (const link of document.querySelectorAll("nav a")) link.hidden = document.querySelector(link.hash).hidden;
