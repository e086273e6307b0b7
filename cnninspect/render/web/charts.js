/* Charts of costs and fields, the field of the chosen layer on the input, and what happens when the page opens. */

const marked = []; // the charts, each with the row of every place along it
const inRunOrder = grid.dataset.order === "run";
const leaves = lines.filter((line) => !line.below.length);
const amount = (line, name) => line.data?.[name]?.value ?? 0;

function bars(name, title) {
  const values = leaves.map((line) => amount(line, name));
  const greatest = values.reduce((most, value) => Math.max(most, value), 0);
  const most = Math.max(greatest, 1);
  const largest = leaves[values.indexOf(greatest)];
  const svg = element("svg:svg", {
    viewBox: `0 0 ${leaves.length} 100`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${title} of ${leaves.length} ${inRunOrder ? "layers in the order in which they run" : "rows in the order of the table"}; the largest is ${largest.data.path || largest.data.kind} with ${grouped(greatest)}`,
  }, element("svg:g", { class: "spans" }));
  marked.push({ svg, owners: leaves });
  leaves.forEach((line, index) => {
    if (!values[index]) return;
    const height = Math.max(100 * values[index] / most, 0.5);
    const bar = element("svg:rect", { class: "bar", x: index, y: 100 - height, width: 0.9, height, "data-row": line.row.dataset.row },
      element("svg:title", {}, `${line.data.path} ${line.data.kind}: ${grouped(values[index])}`));
    bar.addEventListener("click", () => choose(line));
    svg.append(bar);
  });
  return element("figure", {}, svg, element("figcaption", {}, `${title} by ${inRunOrder ? "layer, in the order of the run" : "row, in the order of the table"}. Most: ${largest.data.path || largest.data.kind}, ${grouped(greatest)}.`));
}

function byKind(name, title) {
  const sums = new Map();
  for (const line of leaves) sums.set(line.data.kind, (sums.get(line.data.kind) ?? 0) + amount(line, name));
  const ranked = [...sums].filter(([, value]) => value).sort((a, b) => b[1] - a[1]);
  const total = ranked.reduce((all, [, value]) => all + value, 0);
  const rows = ranked.slice(0, 8).flatMap(([kind, value]) => [
    element("span", {}, kind), element("i", { style: `width: ${(100 * value / ranked[0][1]).toFixed(2)}%` }),
    element("span", { class: "right" }, `${grouped(value)} (${100 * value / total < 0.1 ? "<0.1" : (100 * value / total).toFixed(1)} %)`),
  ]);
  return element("figure", {}, element("div", { class: "kinds" }, ...rows), element("figcaption", {}, `${title} by kind.`));
}

const sizeAlong = (field, axis) => (Array.isArray(field.size[axis]) ? field.size[axis][1] : field.size[axis]);

/** A line of steps, with gaps where there is no value; `owners` has for each step the row that it belongs to, and a click chooses that row. */
function stepChart(values, owners, most, label, caption, words) {
  const count = values.length;
  const height = (value) => 100 - 98 * value / most;
  const path = values.map((value, index) => (value === null ? "" : `${(values[index - 1] ?? null) === null ? "M" : "L"}${index},${height(value)}H${index + 1}`)).join("");
  const svg = element("svg:svg", { viewBox: `0 0 ${count} 100`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    element("svg:g", { class: "spans" }), element("svg:path", { class: "step", d: path }));
  const shown = element("output", { class: "strong" });
  const at = (event) => {
    const { left, width } = svg.getBoundingClientRect();
    return Math.min(Math.max(Math.floor((event.clientX - left) / width * count), 0), count - 1);
  };
  svg.addEventListener("click", (event) => { const line = owners[at(event)]; if (line) choose(line); });
  svg.addEventListener("pointermove", (event) => {
    const index = at(event);
    shown.textContent = values[index] === null || !owners[index] ? "" : ` ${labelOf(owners[index])}: ${words(values[index])}`;
  });
  svg.addEventListener("pointerleave", () => { shown.textContent = ""; });
  marked.push({ svg, owners });
  return { svg, figure: element("figure", {}, svg, element("figcaption", {}, caption, shown)), height };
}

/** Mark the chosen row in all charts: its bar, and the steps of all that it contains. */
function markCharts(line) {
  for (const bar of document.querySelectorAll("svg .bar")) bar.classList.toggle("chosen", bar.dataset.row === line.row.dataset.row);
  const inside = (each) => { for (; each; each = each.above) if (each === line) return true; return false; };
  for (const { svg, owners } of marked) {
    const first = owners.findIndex(inside);
    const last = owners.findLastIndex(inside);
    svg.querySelector(".spans").replaceChildren(...(first < 0 ? [] : [element("svg:rect", { class: "span", x: first, y: 0, width: last + 1 - first, height: 100 })]));
  }
}

function growth() {
  const seen = leaves.map((line) => line.data?.receptive_field).map((field) => (field?.size?.length ? Math.max(...field.size.map((_, axis) => sizeAlong(field, axis))) || null : null));
  const known = seen.filter((size) => size !== null);
  if (known.length < 2) return null;
  const edge = Math.max(...imageSize(), 0);
  const greatest = known.reduce((most, size) => Math.max(most, size));
  const words = `Receptive field by layer, up to ${grouped(greatest)} pixels${edge ? `; the dashed line is the input's ${edge}` : ""}. Layers whose field is global or unknown, or that read nothing of the input, have no line.`;
  const { svg, figure, height } = stepChart(seen, leaves, Math.max(greatest, edge), `The receptive field grows from ${known[0]} to ${greatest} pixels`, words, (size) => `${grouped(size)} pixels`);
  if (edge) svg.append(element("svg:line", { class: "edge", x1: 0, x2: leaves.length, y1: height(edge), y2: height(edge) }));
  return figure;
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`;

/** The bytes that are alive after each op; the floor of the chart is what is there all the time. */
function memory() {
  const alive = report.live_bytes;
  const most = (alive?.activations ?? []).reduce((greatest, bytes) => Math.max(greatest, bytes), 0);
  if (!most) return null;
  const owners = alive.rows.map((row) => lineOfRow.get(row));
  const at = owners[alive.activations.indexOf(most)];
  const bound = report.totals.peak_memory?.status === "lower_bound" ? "at least " : "";
  const peak = `${bound}${mebibytes(alive.held + most)} (${grouped(alive.held + most)} bytes)${at ? ` in ${labelOf(at)}` : ""}`;
  const { figure } = stepChart(alive.activations, owners, most, `Memory over the run; the most is ${peak}`,
    `Memory after each op: ${mebibytes(alive.held)} of parameters, buffers and inputs are the floor, activations come on top. Most: ${peak}.`,
    (bytes) => `${mebibytes(alive.held + bytes)}, ${mebibytes(bytes)} of activations`);
  return figure;
}

function drawCharts() {
  const section = document.getElementById("charts");
  const parts = [];
  for (const [name, title] of [["macs", "MACs"], ["params", "Params"]]) {
    if (leaves.some((line) => amount(line, name))) parts.push(bars(name, title), byKind(name, title));
  }
  if (inRunOrder) parts.push(growth());
  parts.push(memory());
  const drawn = parts.filter(Boolean);
  section.querySelector(".charts").append(...drawn);
  section.hidden = !drawn.length;
}

// --- the field on the input -----------------------------------------------------------------------------------------

/** The spatial sizes of the first input: those after batch and channels. */
function imageSize() {
  const shape = report.run.inputs?.[0]?.shape ?? [];
  return shape.length === 4 ? shape.slice(2) : [];
}

const viewer = document.getElementById("viewer");
let picture = null;
const places = [0, 0];

/** The positions of the row's output map; null where it has none along the axes of the image. */
function positionsOf(line) {
  const shape = line.data?.output_shape?.value?.[0] ?? [];
  return shape.length === 4 ? shape.slice(2) : null;
}

/**
 * Whether size, jump and padding give the region of each position: they are the same numbers for all, and the last
 * position reaches as far over the end as the first over the start. A map whose channels come last fails this.
 */
function isPlaced(field, axis, map) {
  const [size, jump, padding] = [field.size?.[axis], field.jump?.[axis], field.padding?.[axis]];
  if (field.size?.length !== 2 || ![size, jump, padding].every(Number.isInteger) || size === 0) return false;
  const over = (map[axis] - 1) * jump - padding + size - imageSize()[axis];
  return Math.abs(over - padding) <= 2 * jump;
}

/** First and last pixel along an axis, without the border of the image; null for all of it. */
function seenAlong(field, axis, position) {
  const size = sizeAlong(field, axis);
  const first = position * field.jump[axis] - field.padding[axis];
  return [first, first + size - 1];
}

function drawField() {
  if (compares) return;
  const image = imageSize();
  const field = chosen?.data?.receptive_field;
  viewer.hidden = !(image.length && field);
  if (viewer.hidden) return;
  const map = positionsOf(chosen);
  const label = chosen.data.path || chosen.data.kind;
  const whole = field.status === "exact" && !field.size;
  const known = whole || (field.status === "exact" && map !== null && image.every((_, axis) => isPlaced(field, axis, map)));
  const svg = element("svg:svg", { viewBox: `0 0 ${image[1]} ${image[0]}`, role: "img", "aria-label": `What ${label} sees of the input` });
  if (picture) svg.append(element("svg:image", { href: picture, width: image[1], height: image[0], preserveAspectRatio: "none" }));
  const words = [];
  let range = [[0, image[0] - 1], [0, image[1] - 1]];
  if (!known) words.push(`What a position of ${label} sees is not drawn: \`cnninspect rf\` with this layer and --at says it where it is known.`);
  else if (!whole) {
    map.forEach((count, axis) => { places[axis] = Math.min(places[axis], count - 1); });
    range = places.map((place, axis) => seenAlong(field, axis, place));
    const named = range.map(([first, last]) => `${first} to ${last}`);
    words.push(`Position ${places.join(", ")} of ${map.join("x")} sees rows ${named[0]} and columns ${named[1]}; pixels below 0 or from ${image.join(" and ")} on are padding.`);
  } else words.push(`${label} sees all of the input.`);
  if (known) {
    const [top, left] = range.map(([first]) => Math.max(first, 0));
    const [bottom, right] = range.map(([, last], axis) => Math.min(last, image[axis] - 1));
    if (bottom >= top && right >= left) svg.append(element("svg:rect", { class: "seen", x: left, y: top, width: right - left + 1, height: bottom - top + 1 }));
  }
  const form = element("form", {});
  if (known && !whole) ["row", "column"].forEach((name, axis) => {
    const slider = element("input", { type: "range", min: 0, max: map[axis] - 1, value: places[axis], name });
    slider.addEventListener("input", () => { places[axis] = Number(slider.value); redraw(name); });
    form.append(element("label", {}, `${name} `, slider));
  });
  const file = element("input", { type: "file", accept: "image/*", name: "picture" });
  file.addEventListener("change", () => { picture = file.files[0] ? URL.createObjectURL(file.files[0]) : null; redraw("picture"); });
  form.append(element("label", {}, "your image ", file));
  viewer.replaceChildren(element("h2", {}, `The receptive field of ${label} on the input`),
    element("div", { class: "viewer" }, svg, form), element("p", { role: "status" }, words.join(" ")));
}

function redraw(name) {
  drawField();
  viewer.querySelector(`[name="${name}"]`).focus();
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
if (!compares) drawCharts();
if (!compares) graph = drawGraph(document.getElementById("graph"));
// Until a row is chosen: the last map that does not see the whole image, of those that can be drawn.
const maps = (compares ? [] : lines).filter((line) => line.data?.receptive_field?.size?.length === imageSize().length && positionsOf(line));
const within = maps.filter((line) => imageSize().some((length, axis) => sizeAlong(line.data.receptive_field, axis) < length));
const inside = within.findLast((line) => imageSize().every((_, axis) => isPlaced(line.data.receptive_field, axis, positionsOf(line)))) ?? within.at(-1);
if (inside) {
  positionsOf(inside).forEach((count, axis) => { places[axis] = Math.floor(count / 2); });
  chosen = inside;
  drawField();
  chosen = null;
}
for (const link of document.querySelectorAll("nav a")) link.hidden = document.querySelector(link.hash).hidden;
