/* Charts of costs and fields, the field of the chosen layer on the input, and what happens when the page opens. */

const leaves = lines.filter((line) => !line.below.length);
const amount = (line, name) => line.data?.[name]?.value ?? 0;

function bars(name, title) {
  const values = leaves.map((line) => amount(line, name));
  const most = Math.max(...values, 1);
  const largest = leaves[values.indexOf(Math.max(...values))];
  const svg = element("svg:svg", {
    viewBox: `0 0 ${leaves.length} 100`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${title} of ${leaves.length} layers in the order in which they run; the largest is ${largest.data.path || largest.data.kind} with ${grouped(Math.max(...values))}`,
  });
  leaves.forEach((line, index) => {
    if (!values[index]) return;
    const height = Math.max(100 * values[index] / most, 0.5);
    const bar = element("svg:rect", { class: "bar", x: index, y: 100 - height, width: 0.9, height, "data-row": line.row.dataset.row },
      element("svg:title", {}, `${line.data.path} ${line.data.kind}: ${grouped(values[index])}`));
    bar.addEventListener("click", () => choose(line));
    svg.append(bar);
  });
  return element("figure", {}, svg, element("figcaption", {}, `${title} by layer, in the order of the run. Most: ${largest.data.path || largest.data.kind}, ${grouped(Math.max(...values))}.`));
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

function growth() {
  const seen = leaves.map((line) => line.data?.receptive_field).map((field) => (field?.size?.length ? Math.max(...field.size.map((_, axis) => sizeAlong(field, axis))) : null));
  const known = seen.filter((size) => size !== null);
  if (known.length < 2) return null;
  const edge = Math.max(...imageSize(), 0);
  const most = Math.max(...known, edge);
  const points = seen.flatMap((size, index) => (size === null ? [] : [`${index},${100 - 100 * size / most}`, `${index + 1},${100 - 100 * size / most}`]));
  const svg = element("svg:svg", { viewBox: `0 0 ${leaves.length} 100`, preserveAspectRatio: "none", role: "img", "aria-label": `The receptive field grows from ${known[0]} to ${Math.max(...known)} pixels` },
    element("svg:polyline", { class: "step", points: points.join(" ") }));
  if (edge) svg.append(element("svg:line", { class: "edge", x1: 0, x2: leaves.length, y1: 100 - 100 * edge / most, y2: 100 - 100 * edge / most }));
  const words = `Receptive field by layer, up to ${grouped(Math.max(...known))} pixels${edge ? `; the dashed line is the input's ${edge}` : ""}. Layers whose field is global or unknown have no line.`;
  return element("figure", {}, svg, element("figcaption", {}, words));
}

function drawCharts() {
  const section = document.getElementById("charts");
  const parts = [];
  for (const [name, title] of [["macs", "MACs"], ["params", "Params"]]) {
    if (leaves.some((line) => amount(line, name))) parts.push(bars(name, title), byKind(name, title));
  }
  parts.push(growth());
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
foldTo(100);
arrange();
drawCharts();
graph = drawGraph(document.getElementById("graph"));
// Until a row is chosen: the last map that does not see the whole image.
const maps = lines.filter((line) => line.data?.receptive_field?.size?.length === imageSize().length && positionsOf(line));
const inside = maps.findLast((line) => imageSize().some((length, axis) => sizeAlong(line.data.receptive_field, axis) < length));
if (inside) {
  positionsOf(inside).forEach((count, axis) => { places[axis] = Math.floor(count / 2); });
  chosen = inside;
  drawField();
  chosen = null;
}
for (const link of document.querySelectorAll("nav a")) link.hidden = document.querySelector(link.hash).hidden;
