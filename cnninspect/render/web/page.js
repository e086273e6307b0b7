"use strict";
/* The table as a tree: search, sort, fold, columns, keyboard; derivations in a dialog. Charts, graph and viewer have files of their own. */

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

const compares = Boolean(report.checks); // a comparison: its lines are checks, or rows of two networks side by side
const grid = document.querySelector('[role="treegrid"]');
const body = grid.tBodies[0];
const lines = [...body.rows].map((row, index) => ({
  row, index, level: Number(row.getAttribute("aria-level") ?? 1), words: row.textContent.toLowerCase(),
  verdict: row.dataset.verdict, above: null, below: [], open: true, data: report.rows[row.dataset.row],
  pair: (report.aligned ?? report.checks ?? [])[row.dataset.pair], bars: [],
}));
const roots = rooted(lines);
for (const line of lines) line.row.hidden = false;
const lineOf = new Map(lines.map((line) => [line.row, line]));

/** Make a tree of lines by their levels; returns the outermost. */
function rooted(some) {
  const [outermost, path] = [[], []];
  for (const line of some) {
    while (path.length && path.at(-1).level >= line.level) path.pop();
    line.above = path.at(-1) ?? null;
    (line.above ? line.above.below : outermost).push(line);
    path.push(line);
  }
  return outermost;
}

// --- the networks: that of the page, or those of a comparison, each with a tree of its rows ---------------------------

/** A network with its lines; `lineOf` finds them by the number of their row. Each line is `shownBy` one of the table. */
function networkOf(about, name, own, top) {
  for (const line of own) line.network = about;
  return Object.assign(about, { name, lines: own, roots: top, lineOf: new Map(own.filter((line) => line.data).map((line) => [line.number, line])) });
}

function networkOfPage() {
  for (const line of lines) Object.assign(line, { number: Number(line.row.dataset.row), shownBy: line, rows: [line] });
  return [networkOf({ ...report }, String(report.target.name), lines, roots)];
}

/** What the two sides of a comparison are called. */
function sideNames() {
  const names = [report.target, report.other ?? {}].map((side) => side.target ?? side).map((target) => `${target.name}${target.revision ? ` at ${target.revision}` : ""}`);
  return names[0] === names[1] ? ["first network", "second network"] : names;
}

/** The networks of a comparison: `rows` are numbers of the report's rows, or the rows of the other network themselves. */
function networksOfComparison() {
  const held = JSON.parse(document.getElementById("networks").textContent);
  for (const line of lines) line.rows = [];
  const idOf = (row) => row && JSON.stringify([row.path, row.kind, row.call, row.functional]);
  return held.map((about, side) => {
    const tableLine = new Map();
    for (const line of lines) {
      const id = idOf(report.aligned ? line.pair?.[side ? "other" : "target"] : line.data);
      if (id && !tableLine.has(id)) tableLine.set(id, []);
      if (id) tableLine.get(id).push(line);
    }
    const own = about.rows.map((row, number) => {
      const data = typeof row === "number" ? report.rows[row] : row;
      return { data, number, level: data.depth, below: [], bars: [] };
    }).filter(({ data }, number) => data.path || data.functional || about.rows.length === 1 || number);
    const top = rooted(own);
    for (const line of own) {
      const shownBy = tableLine.get(idOf(line.data));
      line.at = side ? shownBy && report.rows.length + Number(shownBy[0].row.dataset.pair) : about.rows[line.number];
      line.shownBy = shownBy?.[0] ?? line.above?.shownBy;
      for (const each of shownBy ?? []) each.rows.push(line);
    }
    return networkOf(about, sideNames()[side], own, top);
  });
}

const networks = compares ? networksOfComparison() : networkOfPage();
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
  const isOpen = new Map(); // whether all containers above are open
  for (const line of lines) isOpen.set(line, !line.above || (line.above.open && isOpen.get(line.above)));
  shown = inOrder.filter((line) => (flat.checked ? fits(line) : kept.has(line) && (asked || isOpen.get(line))));
  for (const line of lines) if (line.below.length) line.row.setAttribute("aria-expanded", String(asked || line.open));
  grid.classList.toggle("flat", flat.checked);
  tools.querySelector('[role="status"]').textContent = `${shown.length} of ${lines.length} rows`;
  placeRows(true);
}

// Of a long table only the rows around the place that is seen stand in the page, with room for the others.
const WHOLE = 500; // rows up to which all of them do
const BESIDE = 60;
const room = grid.parentElement;
const spacers = [0, 1].map(() => element("tr", { "aria-hidden": "true", class: "spacer" }, element("td", { colspan: headers.length })));
let shown = [];
let placed = [0, 0];
let height = 0;

/** Put rows into the table: all, or those around the place that is seen, or around one of them. */
function placeRows(anew = false, around = null, whole = false) {
  const all = whole || shown.length <= WHOLE;
  height ||= Math.max(body.querySelector("tr:not(.spacer)")?.offsetHeight ?? 0, 1);
  const seen = Math.ceil(room.clientHeight / height);
  const first = around ?? Math.min(Math.floor(room.scrollTop / height), shown.length - 1);
  const suffices = all || (around === null && first >= placed[0] + BESIDE / 3 && first + seen <= placed[1] - BESIDE / 3);
  const next = all ? [0, shown.length] : [Math.max(first - BESIDE, 0) & ~1, Math.min(first + seen + BESIDE, shown.length)];
  if (!anew && (suffices || (next[0] === placed[0] && next[1] === placed[1]))) return;
  const [focused, top] = [document.activeElement, room.scrollTop];
  placed = next;
  spacers[0].firstChild.style.height = `${placed[0] * height}px`;
  spacers[1].firstChild.style.height = `${(shown.length - placed[1]) * height}px`;
  const rows = shown.slice(...placed).map((line) => line.row);
  hold(all ? rows : [spacers[0], ...rows, spacers[1]]);
  if (around === null) room.scrollTop = top;
  if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
  keepFocusable();
}

/** Have these rows in the table in this order; those that are there already stay, with what has the focus in them. */
function hold(rows) {
  const wanted = new Set(rows);
  for (const row of [...body.children]) if (!wanted.has(row)) row.remove();
  let at = body.firstChild;
  for (const row of rows) {
    if (row === at) at = at.nextSibling;
    else body.insertBefore(row, at);
  }
}

room.addEventListener("scroll", () => placeRows());
addEventListener("beforeprint", () => { placeRows(true, null, true); fitToPaper(); });
addEventListener("afterprint", () => placeRows(true));

/** Choose letters for the print in which the table is no wider than A4: there it has 0.65 of its width here at 10 px. */
function fitToPaper() {
  const paper = report.aligned ? 1000 : 690; // two networks side by side are printed landscape
  grid.style.setProperty("--print", `${Math.min(10, 10 * paper / (0.65 * grid.scrollWidth)).toFixed(1)}px`);
}

/** Have the row in the table, wherever the table is scrolled to. */
function reach(line) {
  const index = shown.indexOf(line);
  if (index >= 0 && !line.row.isConnected) placeRows(false, index);
}

/** The containers of a line, the innermost first. */
function ways(line) {
  const found = [];
  for (let each = line.above; each; each = each.above) found.push(each);
  return found;
}

/** Fold what lies deeper than the deepest level of which no more than `room` rows are shown. */
function foldTo(room) {
  let level = Math.max(...lines.map((line) => line.level));
  while (level > 1 && lines.filter((line) => line.level <= level).length > room) level -= 1;
  for (const line of lines) line.open = line.level < level;
}

let chosen = null;
let pictures = { follow() {} }; // the graph and the viewer
/** Choose a row of the table, and what it shows in the graph, the charts and the viewer. */
function choose(line, { scroll = true, rows = line.rows } = {}) {
  if (chosen) chosen.row.setAttribute("aria-selected", "false");
  chosen = line;
  line.row.setAttribute("aria-selected", "true");
  if (ways(line).some((each) => !each.open)) {
    ways(line).forEach((each) => { each.open = true; });
    arrange();
  }
  if (scroll) showRow(line);
  document.getElementById("chosen").textContent = labelOf(line);
  markCharts(rows);
  pictures.follow(rows);
}

/** Choose a row of a network, where it is in the table or not. */
function chooseRow(line) {
  const others = line.shownBy?.rows.filter((row) => row.network !== line.network) ?? [];
  const rows = [line, ...others];
  if (line.shownBy && shown.includes(line.shownBy)) choose(line.shownBy, { rows });
  else if (line.shownBy && !compares) choose(line.shownBy);
  else { markCharts(rows); pictures.follow(rows); }
}

/** The name of a row: its path, the kind of a function, the number of its use. */
const labelOf = (line) => {
  const row = line.data ?? line.pair?.target ?? line.pair?.other;
  if (!row) return line.row?.cells[0].textContent.trim() ?? "";
  return [row.path, row.functional || !row.path ? row.kind : "", row.call ? `use ${row.call + 1}` : ""].filter(Boolean).join(" ");
};

/** Scroll the table alone, so that the row is seen in it. */
function showRow(line) {
  reach(line);
  const row = line.row;
  const [above, height] = [row.offsetTop - grid.tHead.offsetHeight, row.offsetHeight];
  if (above < room.scrollTop || row.offsetTop + height > room.scrollTop + room.clientHeight) room.scrollTop = row.offsetTop - room.clientHeight / 2;
}

// --- keyboard: one row or one number of it has the focus ------------------------------------------------------------

let reachable = null; // the row or the number that the Tab key reaches
function keepFocusable() {
  if (reachable?.isConnected) return;
  if (reachable) reachable.tabIndex = -1;
  reachable = body.querySelector("tr:not(.spacer)");
  if (reachable) reachable.tabIndex = 0;
}

function focusOn(target) {
  if (reachable) reachable.tabIndex = -1;
  reachable = target;
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
  const place = shown.indexOf(line);
  const move = (to) => {
    const nearest = shown[Math.min(Math.max(to, 0), shown.length - 1)];
    reach(nearest);
    const next = nearest.row;
    const same = at < 0 ? null : [...next.querySelectorAll("button.number")].find((button) => button.dataset.opens === event.target.dataset.opens);
    focusOn(same ?? next);
    choose(nearest, { scroll: false });
  };
  const actions = {
    ArrowDown: () => move(place + 1), ArrowUp: () => move(place - 1), PageDown: () => move(place + 10),
    PageUp: () => move(place - 10), Home: () => move(0), End: () => move(shown.length - 1),
    ArrowRight: () => {
      if (at < 0 && line.below.length && !line.open && !flat.checked) toggle(line, true);
      else if (numbers[at + 1]) focusOn(numbers[at + 1]);
    },
    ArrowLeft: () => {
      if (at >= 0) focusOn(numbers[at - 1] ?? row);
      else if (line.below.length && line.open && !flat.checked) toggle(line, false);
      else if (line.above && !flat.checked) { reach(line.above); focusOn(line.above.row); choose(line.above); }
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
    choose(line, { scroll: false });
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
    for (const row of [header.parentElement, ...lines.map((line) => line.row)]) row.cells[column].hidden = !box.checked;
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
  const derived = found.symbolic && found.symbolic !== String(found.value);
  if (derived) lines.push(formulaLine("symbolic", found.symbolic));
  if (found.substituted && found.substituted !== found.symbolic && found.substituted !== String(found.value)) lines.push(formulaLine("substituted", found.substituted));
  const value = found.value === null ? "unknown" : grouped(found.value);
  lines.push(element("p", { class: "value strong" }, `${derived ? "= " : ""}${value}`));
  return lines;
}

/** What was measured, and the verdict. */
function measuredLine(each) {
  const measured = Object.entries(each.measured ?? {}).map(([name, found]) => `${name} ${found === null ? "none" : grouped(found)}`);
  const verdict = String(each.verdict ?? "not run").replace("_", " ");
  const words = `${measured.length ? `measured: ${measured.join(", ")}  ` : ""}${SIGN[each.verdict] ? `${SIGN[each.verdict]} ` : ""}${verdict}`;
  return element("p", { class: each.verdict ?? "" }, words);
}

/** A derivation or formula with its texts, of which the file has each once. */
function written(short) {
  const found = { ...short };
  for (const name of ["symbolic", "substituted", "source", "words"]) if (name in short) found[name] = derivations.texts[short[name]];
  if (short.jump) found.jump = written(short.jump);
  if (short.parts) found.parts = Object.fromEntries(Object.entries(short.parts).map(([name, part]) => [name, written(part)]));
  return found;
}

function derivationOf(each) {
  const part = element("section", {}, element("h3", {}, headingOf(each)), ...steps(each));
  for (const [name, found] of Object.entries(each.parts ?? {})) part.append(...steps(found, name));
  if (each.jump) part.append(...steps(each.jump, "jump"));
  if (each.words) part.append(element("p", {}, each.words));
  part.append(measuredLine(each));
  if (each.source) part.append(element("p", { class: "quiet" }, `source: ${each.source}`));
  return part;
}

/** A number that has no formula of its own, such as the output of a container: both sides as the report has them. */
function sidesOf(quantity, found, isContainer) {
  const part = element("section", {}, element("h3", {}, quantity.replace("_", " ")));
  const value = found.value ?? found.size ?? (found.global || found.status === "exact" ? "global" : null);
  part.append(...steps({ value }));
  for (const name of ["jump", "padding"]) if (found[name]) part.append(element("p", {}, `${name} ${found[name].join(", ")}`));
  if (found.global) part.append(element("p", {}, `global by ${found.global.cause}`));
  if (isContainer) part.append(element("p", {}, ["output_shape", "receptive_field"].includes(quantity) ? "It is that of what the module returns; the layers inside have the derivations." : "It is the sum over all that the module contains; the layers inside have the derivations."));
  if (found.analytic !== undefined && found.analytic !== null) part.append(element("p", {}, `by formula: ${grouped(found.analytic)}`));
  for (const reason of found.why ?? []) part.append(element("p", {}, reason.text ?? String(reason)));
  part.append(measuredLine(found));
  return part;
}

const titleOf = (row) => [row.path, row.kind, row.call ? `use ${row.call + 1}` : ""].filter(Boolean).join(" · ");

/** The settings of a row, and the derivations of its number, or else both sides of it. */
function derivationsOf(about, index, quantity) {
  const found = (derivations.rows[index] ?? []).map((place) => derivations.all[place]).filter((each) => each.quantity === quantity).map(written);
  const settings = Object.entries(about?.hyperparameters ?? {}).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join("x") : value}`);
  return [
    ...(settings.length ? [element("p", { class: "quiet" }, settings.join("  "))] : []),
    ...(found.length ? found.map(derivationOf) : about?.[quantity] ? [sidesOf(quantity, about[quantity], about.leaf === false)] : []),
  ];
}

/** A number of both networks: where each comes from, or its value alone where its derivation is not known here. */
function bothOf(line, quantity) {
  const names = sideNames();
  const sides = ["target", "other"].map((side, index) => {
    const row = line.pair[side];
    const part = element("section", { class: "network" }, element("h3", {}, `${names[index]}: ${row ? titleOf(row) : "no such layer"}`));
    if (!row) return part;
    const at = index ? report.rows.length + Number(line.row.dataset.pair) : line.row.dataset.row;
    const found = derivationsOf(index ? null : line.data, at, quantity);
    const value = line.pair[quantity][index];
    part.append(...(found.length ? found : [...steps({ value }), element("p", { class: "quiet" }, "The report on this network has no derivations.")]));
    return part;
  });
  return [element("div", { class: "networks" }, ...sides)];
}

/** A check: what was expected and found, and where the number of the row comes from. */
function checkOf(line, quantity) {
  const { expected, found, source, counter, hint, verdict } = line.pair;
  const side = (by, value) => element("p", {}, `${by}: `, element("span", { class: "value strong" }, value === null ? "unknown" : grouped(value)));
  return [
    element("section", {}, side(source, expected), side(counter ?? "found", found), element("p", { class: verdict }, [SIGN[verdict], verdict.replace("_", " ")].filter(Boolean).join(" ")), ...(hint ? [element("p", {}, hint)] : [])),
    ...(line.data ? derivationsOf(line.data, line.row.dataset.row, quantity) : []),
  ];
}

const dialog = document.getElementById("derivation");
function showDialog(title, parts) {
  const close = element("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(element("header", {}, element("h2", { id: "derivation-title" }, title), close), ...parts);
  dialog.showModal();
}

/** Open the dialog on a number; when it closes, the browser gives the focus back. */
function openDerivation(line, quantity) {
  const pair = line.pair && (report.aligned ? line.pair.target ?? line.pair.other : line.data ?? line.pair);
  const parts = !line.pair ? derivationsOf(line.data, line.row.dataset.row, quantity) : report.aligned ? bothOf(line, quantity) : checkOf(line, quantity);
  showDialog(titleOf(pair ?? line.data), parts);
}
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

/** Open the dialog on a number of a row of a compared network. */
function openRow(line, quantity) {
  showDialog(titleOf(line.data), derivationsOf(line.data, line.at, quantity));
}
