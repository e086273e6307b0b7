"use strict";
/* The table as a tree: search, sort, fold, columns, keyboard; derivations in a dialog; charts; the field on the input. */

const report = JSON.parse(document.getElementById("report").textContent);
const derivations = JSON.parse(document.getElementById("derivations").textContent);
const SIGN = { match: "✓", differ: "✗", unknown: "?" };
const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; texts become text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A number with separators, a shape as `1 x 64 x 56 x 56`, several shapes with commas. */
function grouped(value) {
  if (!Array.isArray(value)) return typeof value === "number" ? value.toLocaleString("en-US") : String(value);
  return value.some(Array.isArray) ? value.map(grouped).join(", ") : value.join(" x ");
}

// --- the rows of the table as a tree --------------------------------------------------------------------------------

const grid = document.querySelector('[role="treegrid"]');
const body = grid.tBodies[0];
const lines = [...body.rows].map((row, index) => ({
  row, index, level: Number(row.getAttribute("aria-level")), words: row.textContent.toLowerCase(),
  verdict: row.dataset.verdict, above: null, below: [], open: true, data: report.rows[row.dataset.row],
}));
const roots = [];
{
  const path = [];
  for (const line of lines) {
    while (path.length && path.at(-1).level >= line.level) path.pop();
    line.above = path.at(-1) ?? null;
    (line.above ? line.above.below : roots).push(line);
    path.push(line);
  }
}
const lineOf = new Map(lines.map((line) => [line.row, line]));
const headers = [...grid.tHead.rows[0].cells];
const tools = document.querySelector(".tools");
const search = tools.querySelector('[role="searchbox"]');
const [only, flat] = [tools.querySelector("select"), tools.querySelector('[name="flat"]')];
const order = { column: null, direction: 1 };

function fits(line) {
  const wanted = search.value.trim().toLowerCase();
  const verdicts = { "": null, differ: ["differ"], unsure: ["differ", "unknown"] }[only.value];
  return (!wanted || line.words.includes(wanted)) && (!verdicts || verdicts.includes(line.verdict));
}

function key(line) {
  const cell = line.row.cells[order.column];
  return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
}

const words = new Intl.Collator("en", { numeric: true });
function compared(a, b) {
  const [x, y] = [key(a), key(b)];
  if (typeof x === "number" && typeof y === "number") return (x - y) * order.direction;
  if (typeof x === "number" || typeof y === "number") return typeof x === "number" ? -1 : 1; // what has no number, last
  return words.compare(x, y) * order.direction;
}

const sorted = (some) => (order.column === null ? some : [...some].sort((a, b) => compared(a, b) || a.index - b.index));

/** Show what the search, the filter, the folds and the order leave. */
function arrange() {
  const asked = Boolean(search.value.trim() || only.value);
  const kept = new Set();
  for (const line of lines) {
    if (!fits(line)) continue;
    for (let each = line; each && !kept.has(each); each = each.above) kept.add(each);
  }
  const inOrder = [];
  if (flat.checked) inOrder.push(...sorted(lines.filter((line) => !line.below.length)));
  else {
    const walk = (some) => sorted(some).forEach((line) => { inOrder.push(line); walk(line.below); });
    walk(roots);
  }
  if (order.moved || order.column !== null || flat.checked) body.append(...inOrder.map((line) => line.row));
  order.moved = order.column !== null || flat.checked;
  const shown = new Set(inOrder);
  let count = 0;
  for (const line of lines) {
    const found = flat.checked ? fits(line) : kept.has(line);
    const opened = asked || flat.checked || ways(line).every((each) => each.open);
    line.row.hidden = !(shown.has(line) && found && opened);
    count += line.row.hidden ? 0 : 1;
    if (line.below.length) line.row.setAttribute("aria-expanded", String(asked || line.open));
  }
  grid.classList.toggle("flat", flat.checked);
  tools.querySelector('[role="status"]').textContent = `${count} of ${lines.length} rows`;
  keepFocusable();
}

function* waysUp(line) { for (let each = line.above; each; each = each.above) yield each; }
const ways = (line) => [...waysUp(line)];

/** Fold what lies deeper than the deepest level of which no more than `room` rows are shown. */
function foldTo(room) {
  let level = Math.max(...lines.map((line) => line.level));
  while (level > 1 && lines.filter((line) => line.level <= level).length > room) level -= 1;
  for (const line of lines) line.open = line.level < level;
}

let chosen = null;
/** Choose a row in the table, the charts and the viewer together. */
function choose(line, { scroll = false } = {}) {
  if (chosen) chosen.row.setAttribute("aria-selected", "false");
  chosen = line;
  line.row.setAttribute("aria-selected", "true");
  if (scroll) {
    ways(line).forEach((each) => { each.open = true; });
    arrange();
    line.row.scrollIntoView({ block: "center" });
  }
  for (const bar of document.querySelectorAll("svg .bar")) bar.classList.toggle("chosen", bar.dataset.row === line.row.dataset.row);
  drawField();
}

// --- keyboard: one row or one number of it has the focus ------------------------------------------------------------

const visible = () => [...body.rows].filter((row) => !row.hidden);
function keepFocusable() {
  const current = body.querySelector('[tabindex="0"]');
  if (current && !current.closest("tr").hidden) return;
  if (current) current.tabIndex = -1;
  const first = visible()[0];
  if (first) first.tabIndex = 0;
}

function focusOn(target) {
  const current = body.querySelector('[tabindex="0"]');
  if (current) current.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}

function toggle(line, open = !line.open) {
  line.open = open;
  arrange();
}

body.addEventListener("keydown", (event) => {
  const row = event.target.closest("tr");
  const line = lineOf.get(row);
  const numbers = [...row.querySelectorAll("button.number")].filter((button) => !button.closest("td").hidden);
  const at = numbers.indexOf(event.target);
  const rows = visible();
  const place = rows.indexOf(row);
  const move = (to) => {
    const next = rows[Math.min(Math.max(to, 0), rows.length - 1)];
    const same = at < 0 ? null : [...next.querySelectorAll("button.number")].find((button) => button.dataset.opens === event.target.dataset.opens);
    focusOn(same ?? next);
    choose(lineOf.get(next));
  };
  const actions = {
    ArrowDown: () => move(place + 1), ArrowUp: () => move(place - 1), PageDown: () => move(place + 10),
    PageUp: () => move(place - 10), Home: () => move(0), End: () => move(rows.length - 1),
    ArrowRight: () => {
      if (at < 0 && line.below.length && !line.open && !flat.checked) toggle(line, true);
      else if (numbers[at + 1]) focusOn(numbers[at + 1]);
    },
    ArrowLeft: () => {
      if (at >= 0) focusOn(numbers[at - 1] ?? row);
      else if (line.below.length && line.open && !flat.checked) toggle(line, false);
      else if (line.above && !flat.checked) { focusOn(line.above.row); choose(line.above); }
    },
    Enter: () => (at < 0 ? line.below.length && toggle(line) : numbers[at].click()),
    " ": () => (at < 0 ? choose(line) : numbers[at].click()),
  };
  if (event.ctrlKey || event.altKey || event.metaKey || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

body.addEventListener("click", (event) => {
  const line = lineOf.get(event.target.closest("tr"));
  if (event.target.matches("button.twist")) toggle(line);
  else {
    focusOn(event.target.closest("button.number") ?? line.row);
    choose(line);
    if (event.target.matches("button.number")) openDerivation(line, event.target.dataset.opens);
  }
});

// --- search, order, columns -----------------------------------------------------------------------------------------

search.addEventListener("input", arrange);
only.addEventListener("change", arrange);
flat.addEventListener("change", arrange);
tools.querySelector('[name="expand"]').addEventListener("click", () => { lines.forEach((line) => { line.open = true; }); arrange(); });
tools.querySelector('[name="collapse"]').addEventListener("click", () => { lines.forEach((line) => { line.open = false; }); arrange(); });

headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
  const before = header.getAttribute("aria-sort");
  const numeric = header.classList.contains("right");
  const next = before === "none" ? (numeric ? "descending" : "ascending") : before === (numeric ? "descending" : "ascending") ? (numeric ? "ascending" : "descending") : "none";
  headers.forEach((each) => each.setAttribute("aria-sort", "none"));
  header.setAttribute("aria-sort", next);
  order.column = next === "none" ? null : column;
  order.direction = next === "descending" ? -1 : 1;
  arrange();
}));

headers.forEach((header, column) => {
  if (column === 0) return;
  const box = element("input", { type: "checkbox", checked: "" });
  box.addEventListener("change", () => {
    for (const row of [header.parentElement, ...body.rows]) row.cells[column].hidden = !box.checked;
  });
  tools.querySelector("details.columns > div").append(element("label", {}, box, ` ${header.textContent.trim() || header.dataset.name}`));
});
const chooser = tools.querySelector("details.columns");
document.addEventListener("click", (event) => { if (!chooser.contains(event.target)) chooser.open = false; });
chooser.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  chooser.open = false;
  chooser.querySelector("summary").focus();
});

// --- derivations ----------------------------------------------------------------------------------------------------

/** A Python expression of the report as MathML; null for what is none. */
function typeset(text) {
  const tokens = text.match(/\*\*|\/\/|[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?|[-+*/(),]/g) ?? [];
  if (tokens.join("") !== text.replace(/\s+/g, "")) return null;
  let at = 0;
  const math = (name, ...children) => {
    const made = document.createElementNS("http://www.w3.org/1998/Math/MathML", name);
    made.append(...children);
    return made;
  };
  const row = (...children) => (children.length === 1 ? children[0] : math("mrow", ...children));
  const sign = (mark) => math("mo", mark);
  const fenced = (open, inner, close) => row(sign(open), inner, sign(close));
  const name = (word) => {
    const [, base, rest] = word.match(/^([A-Za-z])(\w+)$/) ?? [];
    return rest && !/^[a-z]{4,}$/.test(word) ? math("msub", math("mi", base), math("mi", rest.replace(/^_/, ""))) : math("mi", word);
  };
  const expect = (token) => { if (tokens[at] !== token) throw new SyntaxError(token); at += 1; };
  function listed() {
    const found = [sum()];
    while (tokens[at] === ",") { at += 1; found.push(sum()); }
    expect(")");
    return found;
  }
  function atom() {
    const token = tokens[at];
    at += 1;
    if (token === "(") { const inner = sum(); expect(")"); return { node: fenced("(", inner, ")"), inner }; }
    if (/^\d/.test(token ?? "")) return { node: math("mn", Number(token).toLocaleString("en-US", { maximumFractionDigits: 6 })) };
    if (!/^[A-Za-z_]/.test(token ?? "")) throw new SyntaxError(token);
    if (tokens[at] !== "(") return { node: name(token) };
    at += 1;
    const inner = listed();
    if (token === "floor" && inner.length === 1) return { node: fenced("⌊", inner[0], "⌋") };
    if (token === "ceil" && inner.length === 1) return { node: fenced("⌈", inner[0], "⌉") };
    const commas = inner.flatMap((each, i) => (i ? [sign(","), each] : [each]));
    return { node: row(math("mi", token), fenced("(", row(...commas), ")")) };
  }
  function power() {
    const base = atom();
    if (tokens[at] !== "**") return base;
    at += 1;
    const upper = unary();
    return { node: math("msup", base.node, upper.inner ?? upper.node) };
  }
  function unary() {
    if (tokens[at] !== "-") return power();
    at += 1;
    return { node: row(sign("−"), unary().node) };
  }
  function term() {
    let left = unary();
    while (["*", "/", "//"].includes(tokens[at])) {
      const mark = tokens[at];
      at += 1;
      const right = unary();
      if (mark === "*") left = { node: row(left.node, sign("·"), right.node) };
      else {
        const divided = math("mfrac", row(left.inner ?? left.node), row(right.inner ?? right.node));
        left = { node: mark === "/" ? divided : fenced("⌊", divided, "⌋") };
      }
    }
    return left.node;
  }
  function sum() {
    const found = [term()];
    while (tokens[at] === "+" || tokens[at] === "-") {
      found.push(sign(tokens[at] === "-" ? "−" : "+"));
      at += 1;
      found.push(term());
    }
    return row(...found);
  }
  try {
    const whole = sum();
    return at === tokens.length ? math("math", whole) : null;
  } catch {
    return null;
  }
}

/** A line of a derivation: what it is called, and the expression, typeset where it is short enough to be read. */
function formulaLine(label, expression) {
  const line = element("p", { class: `formula ${label}`, "data-expression": expression });
  const set = expression.length < 600 ? typeset(expression) : null;
  line.append(label === "symbolic" ? "" : "= ", set ?? element("code", {}, expression));
  return line;
}

const AXES = { 1: ["length"], 2: ["height", "width"], 3: ["depth", "height", "width"] };

/** What a derivation is about: `MACs`, `receptive field along the height`, `output, dimension 2`. */
function headingOf(each) {
  if (each.axis === undefined) return each.name;
  if (each.quantity === "output_shape") return `output${each.output ? ` ${each.output + 1}` : ""}, dimension ${each.axis}`;
  const named = AXES[(report.run.inputs?.[0]?.shape.length ?? 0) - 2]?.[each.axis];
  return `${each.quantity.replace("_", " ")} along ${named ? `the ${named}` : `axis ${each.axis}`}`;
}

/** A number and where it comes from, step by step. */
function steps(found, title) {
  const lines = title ? [element("p", { class: "quiet" }, title)] : [];
  if (found.symbolic) lines.push(formulaLine("symbolic", found.symbolic));
  if (found.substituted && found.substituted !== found.symbolic && found.substituted !== String(found.value)) lines.push(formulaLine("substituted", found.substituted));
  const value = found.value === null ? "unknown" : grouped(found.value);
  lines.push(element("p", { class: "value strong" }, `${found.symbolic ? "= " : ""}${value}`));
  return lines;
}

/** What was measured, and the verdict. */
function measuredLine(each) {
  const measured = Object.entries(each.measured ?? {}).map(([name, found]) => `${name} ${found === null ? "none" : grouped(found)}`);
  const verdict = String(each.verdict ?? "not run").replace("_", " ");
  const words = `${measured.length ? `measured: ${measured.join(", ")}  ` : ""}${SIGN[each.verdict] ? `${SIGN[each.verdict]} ` : ""}${verdict}`;
  return element("p", { class: each.verdict ?? "" }, words);
}

function derivationOf(each) {
  const [symbolic, substituted, source] = [each.symbolic, each.substituted, each.source].map((index) => derivations.texts[index] ?? "");
  const part = element("section", {}, element("h3", {}, headingOf(each)), ...steps({ ...each, symbolic, substituted }));
  for (const [name, found] of Object.entries(each.parts ?? {})) part.append(...steps(found, name));
  if (each.jump) part.append(...steps(each.jump, "jump"));
  if (each.words) part.append(element("p", {}, each.words));
  part.append(measuredLine(each));
  if (source) part.append(element("p", { class: "quiet" }, `source: ${source}`));
  return part;
}

/** A number that has no formula of its own, such as the output of a container: both sides as the report has them. */
function sidesOf(quantity, found) {
  const part = element("section", {}, element("h3", {}, quantity.replace("_", " ")));
  const value = found.value ?? found.size ?? (found.global || found.status === "exact" ? "global" : null);
  part.append(...steps({ value }));
  for (const name of ["jump", "padding"]) if (found[name]) part.append(element("p", {}, `${name} ${found[name].join(", ")}`));
  if (found.global) part.append(element("p", {}, `global by ${found.global.cause}`));
  if (found.analytic !== undefined && found.analytic !== null) part.append(element("p", {}, `by formula: ${grouped(found.analytic)}`));
  for (const reason of found.why ?? []) part.append(element("p", {}, reason.text ?? String(reason)));
  part.append(measuredLine(found));
  return part;
}

const dialog = document.getElementById("derivation");
function openDerivation(line, quantity) {
  const opener = document.activeElement;
  const found = (derivations.rows[line.row.dataset.row] ?? []).filter((each) => each.quantity === quantity);
  const about = line.data;
  const close = element("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const title = `${about.path || "(root)"} · ${about.kind}${about.call ? ` · use ${about.call + 1}` : ""}`;
  const settings = Object.entries(about.hyperparameters ?? {}).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join("x") : value}`);
  dialog.replaceChildren(
    element("header", {}, element("h2", { id: "derivation-title" }, title), close),
    ...(settings.length ? [element("p", { class: "quiet" }, settings.join("  "))] : []),
    ...(found.length ? found.map(derivationOf) : [sidesOf(quantity, about[quantity])]),
  );
  dialog.onclose = () => opener.focus();
  dialog.showModal();
}
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// --- charts ---------------------------------------------------------------------------------------------------------

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
    bar.addEventListener("click", () => choose(line, { scroll: true }));
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
  section.append(...parts.filter(Boolean));
  section.hidden = !section.children.length;
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

tools.hidden = false;
foldTo(100);
arrange();
drawCharts();
// Until a row is chosen: the last map that does not see the whole image.
const maps = lines.filter((line) => line.data?.receptive_field?.size?.length === imageSize().length && positionsOf(line));
const inside = maps.findLast((line) => imageSize().some((length, axis) => sizeAlong(line.data.receptive_field, axis) < length));
if (inside) {
  positionsOf(inside).forEach((count, axis) => { places[axis] = Math.floor(count / 2); });
  chosen = inside;
  drawField();
  chosen = null;
}
