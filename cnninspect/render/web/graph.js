/* The graph of the network. Containers open and close; what is inside each is laid out by itself, by dagre. */

const GAP = { rank: 22, node: 14, side: 12, head: 24, foot: 12 };
const BOLD = "600 13px system-ui, sans-serif";
const MOST_BOXES = 800; // that a button opens
const MOST_PARTS = 80; // of one container; more are drawn in groups, so that no layout becomes slow

/** The boxes of the graph as a tree, with the links between them; null where the report has no graph for this table. */
function boxesOf(network) {
  const flow = network.dataflow;
  const top = { name: "", level: 0, below: [], above: null, line: null };
  const boxOf = new Map();
  const add = (line, above) => {
    const path = line.data?.path ?? "";
    const inside = above.line?.data?.path ? `${above.line.data.path}.` : "";
    const use = line.data?.call ? ` use ${line.data.call + 1}` : "";
    const name = line.data?.functional ? line.data.kind : path.startsWith(inside) ? path.slice(inside.length) : path;
    const box = { line, above, below: [], level: above.level + 1, name: (name || line.data?.kind || "") + use, full: labelOf(line), open: false };
    boxOf.set(line.number, box);
    above.below.push(box);
    line.below.forEach((each) => add(each, box));
  };
  network.roots.forEach((line) => add(line, top));
  const inputs = flow.inputs.map((name) => ({ line: null, above: top, below: [], level: 1, name: "input", kind: flow.inputs.length > 1 ? name : "", full: flow.inputs.length > 1 ? `input ${name}` : "input" }));
  const output = { line: null, above: top, below: [], level: 1, name: "output", full: "output" };
  grouped(top);
  const found = (index) => (index < 0 ? inputs[-1 - index] : boxOf.get(index));
  const links = [...flow.edges, ...flow.outputs.map((source) => [source, null])].map(([source, reader]) => [found(source), reader === null ? output : found(reader)]);
  if (links.some((ends) => ends.includes(undefined))) return null;
  top.below = [...inputs, ...top.below, output];
  for (const box of walk(top)) Object.assign(box, { links: new Map(), entries: new Map(), exits: new Map(), reads: new Set(), readBy: new Set() });
  top.links = new Map();
  links.forEach(([source, reader]) => link(source, reader));
  for (const row of flow.passing) if (boxOf.has(row)) boxOf.get(row).passes = true;
  top.boxOf = boxOf;
  return top;

  /** Put the parts of containers with very many of them into groups that follow each other. */
  function grouped(box) {
    while (box.below.length > MOST_PARTS) {
      const size = Math.max(Math.ceil(box.below.length / MOST_PARTS), 10);
      const groups = [];
      for (let at = 0; at < box.below.length; at += size) {
        const parts = box.below.slice(at, at + size);
        const group = { line: null, above: box, below: parts, name: `${parts[0].name} … ${parts.at(-1).name}`, kind: `${parts.length} layers`, full: `${parts[0].full} to ${parts.at(-1).full}`, open: false };
        parts.forEach((part) => { part.above = group; });
        groups.push(group);
      }
      box.below = groups;
    }
    box.below.forEach((each) => { each.level = box.level + 1; grouped(each); });
  }

  /** Note a link where its ends part, and at the border of every container that it crosses. */
  function link(source, reader) {
    const [from, to] = [pathTo(source), pathTo(reader)];
    let depth = 0;
    while (from[depth] === to[depth]) depth += 1;
    if (!from[depth] || !to[depth]) return; // between a container and a part of it
    const [one, other] = [from[depth], to[depth]];
    const among = one.above.links;
    const ends = among.get(one) ?? among.set(one, new Map()).get(one);
    (ends.get(other) ?? ends.set(other, new Set()).get(other)).add(source);
    for (const box of from.slice(depth + 1)) box.above.exits.set(source, box);
    for (const box of to.slice(depth + 1)) (box.above.entries.get(source) ?? box.above.entries.set(source, new Set()).get(source)).add(box);
    for (const box of from.slice(depth)) box.readBy.add(reader);
    for (const box of to.slice(depth)) box.reads.add(source);
  }
}

const shapesOf = (line) => (line.data.output_shape?.value ?? []).map((shape) => shape.join("x")).join(", ");

/** What the report has of a row of a compared network: its numbers without the table's words. */
function factsOf(line) {
  const text = (name) => { const value = line.data[name]?.value ?? null; return line.data[name] && (value === null ? "unknown" : grouped(value)); };
  const field = line.data.receptive_field;
  const seen = field && (field.size ? field.size.map((size) => (Array.isArray(size) ? size.join("..") : size)).join("x") : field.status === "exact" ? "global" : "unknown");
  return [["kind", line.data.kind], ["output", shapesOf(line), "output_shape"], ["params", text("params"), "params"], ["MACs", text("macs"), "macs"], ["field", seen, "receptive_field"]].filter(([, found]) => found);
}

/** From the outermost container to the box itself. */
function pathTo(box) {
  const path = [];
  for (let each = box; each.above; each = each.above) path.unshift(each);
  return path;
}

function* walk(box) {
  for (const each of box.below) { yield each; yield* walk(each); }
}

/** Lay out what is inside a box: parts with their places, lines between them, and where lines cross its border. */
function layOut(box, measure) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", ranksep: GAP.rank, nodesep: GAP.node, edgesep: 10, marginx: GAP.side, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  const parts = box.below.map((part, index) => ({ part, key: `p${index}`, ...measure(part) }));
  const keyOf = new Map(parts.map((each) => [each.part, each.key]));
  const placeOf = new Map(parts.map((each) => [each.key, each]));
  parts.forEach(({ key, width, height }) => graph.setNode(key, { width, height }));
  const [entries, exits] = [[...box.entries?.keys() ?? []], [...box.exits?.keys() ?? []]];
  entries.forEach((source, index) => graph.setNode(`in${index}`, { width: 1, height: 1 }));
  exits.forEach((source, index) => graph.setNode(`out${index}`, { width: 1, height: 1 }));
  const noted = [];
  const join = (from, to, source, about) => {
    graph.setEdge(from, to, {}, String(noted.length));
    noted.push({ from, to, source, name: String(noted.length), ...about });
  };
  for (const [one, ends] of box.links) {
    for (const [other, sources] of ends) {
      const apart = (one.open || other.open) ? sources : [sources.values().next().value];
      for (const source of apart) join(keyOf.get(one), keyOf.get(other), source, { one, other });
    }
  }
  entries.forEach((source, index) => { for (const part of box.entries.get(source)) join(`in${index}`, keyOf.get(part), source, { other: part }); });
  exits.forEach((source, index) => join(keyOf.get(box.exits.get(source)), `out${index}`, source, { one: box.exits.get(source) }));
  holdTheBorders(graph, entries.map((_, index) => `in${index}`), exits.map((_, index) => `out${index}`));
  dagre.layout(graph, noted.length > 400 ? { ranker: "longest-path" } : {});
  const upper = entries.length ? graph.node("in0").y : 0;
  const lower = exits.length ? graph.node("out0").y : graph.graph().height;
  for (const each of parts) {
    const { x, y } = graph.node(each.key);
    Object.assign(each, { x: x - each.width / 2, y: y - each.height / 2 - upper });
  }
  const height = lower - upper;
  const lines = noted.map(({ from, to, source, name, one, other }) => {
    const points = graph.edge(from, to, name).points.map(({ x, y }) => [x, y - upper]);
    const [start, end] = [placeOf.get(from), placeOf.get(to)];
    // At an open container a line goes on inside: it ends where the inner one begins.
    if (start?.inner?.out.has(source)) points[0] = [start.x + start.inner.out.get(source), start.y + start.height];
    if (end?.inner?.in.has(source)) points[points.length - 1] = [end.x + end.inner.in.get(source), end.y];
    return { points, ends: !to.startsWith("out") && !end?.inner, one, other, source };
  });
  const places = (prefix, sources) => new Map(sources.map((source, index) => [source, graph.node(`${prefix}${index}`).x]));
  const layout = { parts, lines, in: places("in", entries), out: places("out", exits) };
  // dagre's own width leaves out lines that run beside all parts.
  const across = [...lines.flatMap(({ points }) => points.map(([x]) => x)), ...parts.flatMap(({ x, width }) => [x, x + width])];
  const [left, right] = [across.reduce((least, x) => Math.min(least, x)), across.reduce((greatest, x) => Math.max(greatest, x))];
  const shift = GAP.side - left;
  for (const each of parts) each.x += shift;
  for (const { points } of lines) for (const point of points) point[0] += shift;
  for (const map of [layout.in, layout.out]) for (const [source, x] of map) map.set(source, x + shift);
  return { ...layout, width: right - left + 2 * GAP.side, height: Math.max(height, 10) };
}

/** Put all places where lines enter above everything else, and those where they leave below, each on one level. */
function holdTheBorders(graph, entries, exits) {
  const parts = graph.nodes().filter((key) => key.startsWith("p"));
  const hold = (name, border, free, edge) => {
    if (!border.length || (border.length === 1 && !free.length)) return;
    graph.setNode(name, { width: 0, height: 0 });
    border.forEach((key) => graph.setEdge(...edge(name, key), { weight: 1000 }, name));
    free.forEach((key) => graph.setEdge(...edge(name, key), { weight: 0 }, name));
  };
  hold("above", entries, parts.filter((key) => !graph.inEdges(key).length), (name, key) => [name, key]);
  hold("below", exits, parts.filter((key) => !graph.outEdges(key).length), (name, key) => [key, name]);
}

/** A curve through the points, that leaves and arrives upright. */
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.map(Math.round)}`;
  let [x, y] = first;
  for (const [nextX, nextY] of rest) {
    const middle = (y + nextY) / 2;
    path += `C${Math.round(x)},${Math.round(middle)} ${Math.round(nextX)},${Math.round(middle)} ${Math.round(nextX)},${Math.round(nextY)}`;
    [x, y] = [nextX, nextY];
  }
  return path;
}

const hasGraph = (network) => Boolean(network.dataflow?.edges.length);

/** Draw the graph of a network into a part of the page; returns what keeps it in step with the chosen row. */
function drawGraph(section, network) {
  const top = hasGraph(network) ? boxesOf(network) : null;
  const arrow = `arrow${networks.indexOf(network)}`;
  if (!top) return { follow() {} };
  const pen = document.createElement("canvas").getContext("2d");
  const widthOf = (text, font) => { pen.font = font; return pen.measureText(text).width; };
  const column = headers.findIndex((header) => header.dataset.name === "output_shape");
  const most = network.totals.macs?.value;
  const short = (text, length) => (text.length > length ? `${text.slice(0, length / 2)}…${text.slice(-length / 2)}` : text);
  for (const box of walk(top)) {
    const shape = !box.line ? "" : compares ? shapesOf(box.line) : column > 0 ? box.line.row.cells[column].textContent.trim() : "";
    const kind = box.line ? (box.line.data.functional ? "" : box.line.data.kind) : box.kind ?? "";
    box.title = short(box.name, 30);
    box.about = [kind, shape].filter(Boolean);
    box.detail = short(box.about.join("  "), 36);
    box.share = most && box.line?.data.macs?.value ? box.line.data.macs.value / most : 0;
  }

  const frame = section.querySelector(".frame");
  const card = section.querySelector(".card");
  let [zoom, svg, focused, marked, opened, natural] = [1, null, null, null, [], [1, 1]];

  function measure(box) {
    if (!box.open) {
      const words = Math.max(widthOf(box.title, BOLD), widthOf(box.detail, "11px system-ui, sans-serif"));
      return { width: Math.max(Math.ceil(words) + (box.below.length ? 42 : 22), 76), height: box.detail ? 40 : 26 };
    }
    const inner = (box.inner ??= layOut(box, measure));
    const head = Math.ceil(widthOf(`${box.title}  ${box.detail}`, BOLD)) + 48;
    const shift = Math.max(0, (head - inner.width) / 2);
    const moved = (places) => new Map([...places].map(([source, x]) => [source, x + shift]));
    return { width: inner.width + 2 * shift, height: inner.height + GAP.head + GAP.foot, shift, inner: { ...inner, in: moved(inner.in), out: moved(inner.out) } };
  }

  function drawInside(layout, dx, dy, group) {
    const lines = element("svg:g", { "aria-hidden": "true" });
    for (const { points, ends, one, other, source } of layout.lines) {
      const path = element("svg:path", { class: `link${source.passes ? " passed" : ""}`, d: curve(points.map(([x, y]) => [x + dx, y + dy])), ...(ends ? { "marker-end": `url(#${arrow})` } : {}) });
      for (const end of [one, other]) if (end) (end.paths ??= new Set()).add(path);
      lines.append(path);
    }
    group.append(lines);
    for (const place of layout.parts) drawBox(place, dx, dy, group);
  }

  function drawBox({ part, x, y, width, height, shift, inner }, dx, dy, group) {
    [x, y] = [x + dx, y + dy];
    part.at = { x, y, width, height };
    const holds = part.below.length > 0;
    const said = [part.full, ...part.about.map((each) => `, ${each}`), names("; reads ", part.reads), names("; read by ", part.readBy), part.passes ? "; returns the tensor that it gets" : ""].join("");
    const box = element("svg:g", {
      class: `box${holds ? " holds" : ""}${part.line ? "" : " end"}`, role: "treeitem", tabindex: "-1", "aria-level": part.level,
      "aria-selected": "false", "aria-label": said, ...(holds ? { "aria-expanded": String(part.open) } : {}),
    }, element("svg:title", {}, said));
    const text = (words, at, attributes) => element("svg:text", { x: at[0], y: at[1], ...attributes }, words);
    box.append(element("svg:rect", { x, y, width, height, rx: 5 }));
    const stubs = element("svg:g", { "aria-hidden": "true" });
    box.append(stubs);
    if (part.open) {
      box.append(text(part.title, [x + 24, y + 17], { class: "name" }), text(part.detail, [x + 34 + widthOf(part.title, BOLD), y + 17], { class: "detail" }));
    } else {
      const middle = x + (width + (holds ? 14 : 0)) / 2;
      box.append(text(part.title, [middle, y + 17], { class: "name middle" }));
      if (part.detail) box.append(text(part.detail, [middle, y + 32], { class: "detail middle" }));
      if (part.share) box.append(element("svg:rect", { class: "share", x: x + 1, y: y + height - 3, width: Math.max((width - 2) * Math.min(part.share, 1), 1), height: 2 }));
    }
    if (holds) {
      box.append(element("svg:g", { class: "twist" },
        element("svg:rect", { x, y, width: 24, height: part.open ? GAP.head : height }), text(part.open ? "▾" : "▸", [x + 9, y + (part.open ? 17 : height / 2 + 5)], {})));
    }
    part.drawn = box;
    boxOfDrawn.set(box, part);
    group.append(box);
    if (part.open) {
      const stub = (at, from, to) => stubs.append(element("svg:path", { class: "link", d: `M${Math.round(x + at)},${Math.round(from)}V${Math.round(to)}` }));
      for (const at of inner.in.values()) stub(at, y, y + GAP.head);
      for (const at of inner.out.values()) stub(at, y + height - GAP.foot, y + height);
      drawInside(inner, x + shift, y + GAP.head, group);
    }
  }

  const boxOfDrawn = new Map();
  /** Draw all, with `still` at the place of the screen where it was. */
  function draw(still = null) {
    const before = still?.at && svg ? { ...still.at } : null;
    for (const box of walk(top)) box.drawn = box.paths = box.at = null;
    boxOfDrawn.clear();
    const whole = (top.inner ??= layOut(top, measure));
    natural = [whole.width, whole.height + 2 * GAP.side];
    svg = element("svg:svg", { viewBox: `0 0 ${natural.map(Math.ceil).join(" ")}`, role: "tree", "aria-label": "Graph of the network" },
      element("svg:defs", {}, element("svg:marker", { id: arrow, class: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, element("svg:path", { fill: "context-stroke", d: "M0,0.5L8,4L0,7.5z" }))));
    drawInside(whole, 0, GAP.side, svg);
    frame.replaceChildren(svg);
    scale();
    mark();
    if (before && still.at) {
      frame.scrollLeft += (still.at.x + still.at.width / 2 - before.x - before.width / 2) * zoom;
      frame.scrollTop += (still.at.y - before.y) * zoom;
    }
    const reachable = focused && shownFor(focused).drawn ? shownFor(focused) : top.below[0];
    reachable.drawn.setAttribute("tabindex", "0");
    focused = reachable;
  }

  function scale() {
    svg.setAttribute("width", Math.ceil(natural[0] * zoom));
    svg.setAttribute("height", Math.ceil(natural[1] * zoom));
  }

  /** Zoom around the middle of what is seen. */
  function zoomTo(wanted, at = [frame.clientWidth / 2, frame.clientHeight / 2]) {
    const next = Math.min(Math.max(wanted, 0.05), 3);
    const [x, y] = [frame.scrollLeft + at[0], frame.scrollTop + at[1]].map((value) => value / zoom);
    zoom = next;
    scale();
    frame.scrollTo(x * zoom - at[0], y * zoom - at[1]);
  }

  const fit = () => zoomTo(Math.min(frame.clientWidth / natural[0], frame.clientHeight / natural[1], 1.5) * 0.99);

  /** The innermost box that is drawn and holds this one. */
  function shownFor(box) {
    return pathTo(box).find((each) => !each.open) ?? box;
  }

  function forget(box) {
    for (let each = box; each; each = each.above) each.inner = null;
  }

  function toggle(box, open = !box.open) {
    if (!box.below.length || box.open === open) return;
    box.open = open;
    opened = opened.filter((each) => each !== box);
    forget(box);
    draw(box);
  }

  const names = (before, boxes) => (boxes.size ? `${before}${[...boxes].slice(0, 6).map((each) => each.full).join(", ")}${boxes.size > 6 ? ` and ${boxes.size - 6} more` : ""}` : "");

  function mark() {
    for (const each of svg.querySelectorAll(".chosen")) each.classList.remove("chosen");
    for (const each of svg.querySelectorAll('[aria-selected="true"]')) each.setAttribute("aria-selected", "false");
    if (!marked) return;
    const box = shownFor(marked);
    box.drawn?.setAttribute("aria-selected", "true");
    for (const path of box.paths ?? []) path.classList.add("chosen");
  }

  function scrollTo(box) {
    const { x, y, width, height } = box.at;
    const [left, above] = [x * zoom - frame.scrollLeft, y * zoom - frame.scrollTop];
    if (left < 0 || left + width * zoom > frame.clientWidth) frame.scrollLeft = (x + width / 2) * zoom - frame.clientWidth / 2;
    if (above < 0 || above + height * zoom > frame.clientHeight) frame.scrollTop = (y + Math.min(height, 200) / 2) * zoom - frame.clientHeight / 2;
  }

  /** Show a row that was chosen anywhere: the containers around it open, and close when another is chosen. */
  function follow(line) {
    const box = boxOfLine.get(line);
    if (!box) return;
    const around = pathTo(box).slice(0, -1);
    const closing = opened.filter((each) => !around.includes(each));
    const opening = around.filter((each) => !each.open);
    closing.forEach((each) => { each.open = false; forget(each); });
    opening.forEach((each) => { each.open = true; forget(each); });
    opened = [...opened.filter((each) => !closing.includes(each)), ...opening];
    marked = box;
    focused = box;
    if (opening.length || closing.length) draw(); else refocus(box);
    mark();
    scrollTo(shownFor(box));
    tell(box);
  }

  function refocus(box) {
    for (const each of svg.querySelectorAll('[tabindex="0"]')) each.setAttribute("tabindex", "-1");
    shownFor(box).drawn.setAttribute("tabindex", "0");
  }

  /** The chosen layer: its numbers as in the table, what it reads, and what reads it, as buttons that lead there. */
  function tell(box) {
    const facts = element("dl", {});
    const fact = (name, ...found) => { if (found.length) facts.append(element("dt", {}, name), element("dd", {}, ...found)); };
    if (compares && box.line) factsOf(box.line).forEach(([name, text, opens]) => fact(name, opens ? action(text, () => openRow(box.line, opens)) : text));
    else headers.forEach((header, index) => {
      const cell = box.line?.row.cells[index];
      const text = cell?.textContent.replace(/^[█▏▎▍▌▋▊▉]+/, "").trim();
      if (!index || !text || text === "·") return;
      const opens = cell.querySelector("button.number")?.dataset.opens;
      fact(header.textContent.trim() || header.dataset.name, opens ? action(text, () => openDerivation(box.line, opens)) : text);
    });
    const list = (boxes) => [...boxes].slice(0, 12).flatMap((each, index) => [index ? ", " : "", each.line ? action(each.full, () => chooseRow(each.line)) : each.full]);
    const rest = (boxes) => (boxes.size > 12 ? [` and ${boxes.size - 12} more`] : []);
    fact("reads", ...list(box.reads), ...rest(box.reads));
    fact("read by", ...list(box.readBy), ...rest(box.readBy));
    if (box.passes) fact("returns", "the tensor that it gets, so that these may read it as its argument or as its result");
    card.replaceChildren(element("h3", {}, box.full), facts);
  }

  function action(words, work) {
    const made = element("button", { type: "button" }, words);
    made.addEventListener("click", work);
    return made;
  }

  const boxOfLine = new Map([...top.boxOf.values()].map((box) => [box.line, box]));
  const boxAt = (event) => { const drawn = event.target.closest(".box"); return drawn ? boxOfDrawn.get(drawn) : null; };

  function select(box) {
    focused = box;
    if (box.line) chooseRow(box.line);
    else { marked = box; mark(); refocus(box); tell(box); }
    shownFor(box).drawn.focus({ preventScroll: true });
  }

  let dragged = null;
  frame.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button) return;
    dragged = { x: event.clientX, y: event.clientY, left: frame.scrollLeft, top: frame.scrollTop, moved: false };
  });
  addEventListener("pointermove", (event) => {
    if (!dragged) return;
    dragged.moved ||= Math.hypot(event.clientX - dragged.x, event.clientY - dragged.y) > 4;
    if (dragged.moved) frame.scrollTo(dragged.left + dragged.x - event.clientX, dragged.top + dragged.y - event.clientY);
  });
  addEventListener("pointerup", () => { setTimeout(() => { dragged = null; }); });
  frame.addEventListener("click", (event) => {
    const box = boxAt(event);
    if (!box || dragged?.moved) return;
    if (event.target.closest(".twist")) toggle(box);
    else select(box);
  });
  frame.addEventListener("dblclick", (event) => { const box = boxAt(event); if (box && !event.target.closest(".twist")) toggle(box); });
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { left, top: above } = frame.getBoundingClientRect();
    zoomTo(zoom * Math.exp(-event.deltaY / 300), [event.clientX - left, event.clientY - above]);
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    const box = boxAt(event);
    if (!box || event.ctrlKey || event.altKey || event.metaKey) return;
    const seen = [...boxOfDrawn.values()];
    const place = seen.indexOf(box);
    const go = (to) => { if (to && to !== top) select(to); };
    const actions = {
      ArrowDown: () => go(seen[place + 1]), ArrowUp: () => go(seen[place - 1]), Home: () => go(seen[0]), End: () => go(seen.at(-1)),
      ArrowRight: () => (box.below.length && !box.open ? (toggle(box, true), box.drawn.focus({ preventScroll: true })) : go(box.below[0])),
      ArrowLeft: () => (box.open ? (toggle(box, false), box.drawn.focus({ preventScroll: true })) : go(box.above)),
      Enter: () => { if (box.below.length) { toggle(box); box.drawn.focus({ preventScroll: true }); } else select(box); },
      " ": () => select(box), "+": () => zoomTo(zoom * 1.25), "-": () => zoomTo(zoom / 1.25), 0: fit,
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  const button = (name, work) => section.querySelector(`[name="${name}"]`).addEventListener("click", work);
  button("larger", () => zoomTo(zoom * 1.25));
  button("smaller", () => zoomTo(zoom / 1.25));
  button("fit", fit);
  button("open", () => openLevel());
  button("close", () => { for (const box of walk(top)) { box.open = false; box.inner = null; } opened = []; top.inner = null; draw(); });

  /** Open the containers that are closed now, those inside them not; as many as a picture can hold. */
  function openLevel() {
    let count = boxOfDrawn.size;
    for (const box of [...boxOfDrawn.values()].filter((each) => each.below.length && !each.open)) {
      count += box.below.length;
      if (count > MOST_BOXES) break;
      box.open = true;
      forget(box);
    }
    draw();
  }

  draw();
  zoomTo(Math.min(1, Math.max(frame.clientWidth / natural[0], 0.5)));
  return { follow };
}
