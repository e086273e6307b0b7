/* Charts of costs, fields and memory: of one network, or of the two of a comparison with the same scale. */

const marked = []; // the plots, each with the row of every place along it
const inRunOrder = compares ? networks.every((network) => network.run.inputs?.length) : grid.dataset.order === "run";
const amount = (line, name) => line.data?.[name]?.value ?? 0;
const greatestOf = (values) => values.reduce((most, value) => Math.max(most, value ?? 0), 0);
const leavesOf = (network) => network.lines.filter((line) => !line.below.length);
const titled = (network, label) => (networks.length > 1 ? `${network.name}: ${label}` : label);

/** A number in few letters, for the end of a scale: `118 M`. */
function rounded(value) {
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
  return grouped(value);
}

/** A chart: its title and what it says, and below that a plot for each network. */
function figure(title, words, plots) {
  const shown = element("output", {});
  const parts = plots.flatMap(({ svg, ends, network, reads }) => {
    svg.addEventListener("pointermove", (event) => { shown.textContent = ` ${reads(placeIn(svg, event))}`; });
    svg.addEventListener("pointerleave", () => { shown.textContent = ""; });
    const scale = element("span", { class: "ends", "aria-hidden": "true" }, ...ends.map((end) => element("span", {}, end)));
    return [...(networks.length > 1 ? [element("p", { class: "quiet" }, network.name)] : []), element("div", { class: "plot" }, scale, svg)];
  });
  return element("figure", {}, element("figcaption", {}, element("strong", {}, title), words, shown), ...parts);
}

/** Which of the places along a plot the pointer is over. */
function placeIn(svg, event) {
  const { left, width } = svg.getBoundingClientRect();
  const count = svg.viewBox.baseVal.width;
  return Math.min(Math.max(Math.floor((event.clientX - left) / width * count), 0), count - 1);
}

function plot(network, owners, label) {
  const svg = element("svg:svg", { viewBox: `0 0 ${Math.max(owners.length, 1)} 100`, preserveAspectRatio: "none", role: "img", "aria-label": titled(network, label) }, element("svg:g", { class: "spans" }));
  svg.addEventListener("click", (event) => { const line = owners[placeIn(svg, event)]; if (line) chooseRow(line); });
  marked.push({ svg, owners });
  return svg;
}

/** How many layers have no known number, which is not 0, and so no part in a chart. */
function leftOut(name) {
  const said = networks.map((network) => [network, leavesOf(network).filter((line) => line.data?.[name] && line.data[name].value === null).length]).filter(([, count]) => count);
  return said.map(([network, count]) => ` ${titled(network, `${grouped(count)} unknown ${count > 1 ? "numbers are" : "number is"} left out.`)}`).join("");
}

function bars(name, title) {
  const sides = networks.map((network) => ({ network, leaves: leavesOf(network) })).map((side) => ({ ...side, values: side.leaves.map((line) => amount(line, name)) }));
  const most = Math.max(...sides.map(({ values }) => greatestOf(values)), 1);
  const said = [];
  const plots = sides.map(({ network, leaves, values }) => {
    const greatest = greatestOf(values);
    const largest = leaves[values.indexOf(greatest)];
    if (greatest) said.push(titled(network, `${largest.data.path || largest.data.kind}, ${grouped(greatest)}`));
    const svg = plot(network, leaves, `${title} of ${leaves.length} ${inRunOrder ? "layers in the order in which they run" : "rows in the order of the table"}; ${greatest ? `the largest is ${largest.data.path || largest.data.kind} with ${grouped(greatest)}` : "all are 0"}`);
    leaves.forEach((line, index) => {
      if (!values[index]) return;
      const height = Math.max(100 * values[index] / most, 0.5);
      line.bars.push(svg.appendChild(element("svg:rect", { class: "bar", x: index, y: 100 - height, width: 0.9, height })));
    });
    return { svg, ends: [rounded(most), "0"], network, reads: (index) => `${labelOf(leaves[index])}: ${grouped(values[index])}` };
  });
  return figure(`${title} by ${inRunOrder ? "layer" : "row"}`, `, in the order of the ${inRunOrder ? "run" : "table"}. Most: ${said.join("; ")}.${leftOut(name)}`, plots);
}

function byKind(name, title) {
  const sums = networks.map((network) => {
    const found = new Map();
    for (const line of leavesOf(network)) found.set(line.data.kind, (found.get(line.data.kind) ?? 0) + amount(line, name));
    return found;
  });
  const totals = sums.map((found) => [...found.values()].reduce((all, value) => all + value, 0));
  const most = (kind) => Math.max(...sums.map((found) => found.get(kind) ?? 0));
  const ranked = [...new Set(sums.flatMap((found) => [...found.keys()]))].filter(most).sort((a, b) => most(b) - most(a));
  const share = (value, total) => (value && value / total < 0.001 ? "<0.1" : (100 * value / (total || 1)).toFixed(1));
  const rows = ranked.slice(0, 8).flatMap((kind) => sums.flatMap((found, side) => {
    const value = found.get(kind) ?? 0;
    return [
      element("span", {}, side ? "" : kind), element("i", { class: side ? "second" : "", style: `width: ${(100 * value / most(ranked[0])).toFixed(2)}%` }),
      element("span", { class: "right" }, `${grouped(value)} (${share(value, totals[side])} %)`),
    ];
  }));
  const rest = ranked.length > 8 ? ` The ${ranked.length - 8} smallest are left out.` : "";
  const which = networks.length > 1 ? ` Of each pair of bars the upper is ${networks[0].name}, the lower ${networks[1].name}.` : "";
  return element("figure", {}, element("figcaption", {}, element("strong", {}, `${title} by kind`), `.${which}${rest}${leftOut(name)}`), element("div", { class: "kinds" }, ...rows));
}

const sizeAlong = (field, axis) => (Array.isArray(field.size[axis]) ? field.size[axis][1] : field.size[axis]);

/** A line of steps, with gaps where there is no value; `owners` has for each step the row that it belongs to. */
function steppedLine(network, values, owners, most, label) {
  const height = (value) => 100 - 98 * value / most;
  const path = values.map((value, index) => (value === null ? "" : `${(values[index - 1] ?? null) === null ? "M" : "L"}${index},${height(value)}H${index + 1}`)).join("");
  const svg = plot(network, owners, label);
  svg.append(element("svg:path", { class: "step", d: path }));
  return { svg, height };
}

/** Mark the chosen rows in all charts: their bars, and the steps of all that they contain. */
function markCharts(rows) {
  for (const network of networks) for (const line of network.lines) for (const bar of line.bars) bar.classList.toggle("chosen", rows.includes(line));
  const inside = (each) => { for (; each; each = each.above) if (rows.includes(each)) return true; return false; };
  for (const { svg, owners } of marked) {
    const first = owners.findIndex(inside);
    const last = owners.findLastIndex(inside);
    svg.querySelector(".spans").replaceChildren(...(first < 0 ? [] : [element("svg:rect", { class: "span", x: first, y: 0, width: last + 1 - first, height: 100 })]));
  }
}

function growth() {
  const sides = networks.map((network) => {
    const leaves = leavesOf(network);
    const seen = leaves.map((line) => line.data?.receptive_field).map((field) => (field?.size?.length ? greatestOf(field.size.map((_, axis) => sizeAlong(field, axis))) || null : null));
    return { network, leaves, seen, known: seen.filter((size) => size !== null), edge: greatestOf(imageSize(network)) };
  }).filter(({ known }) => known.length > 1);
  if (!sides.length) return null;
  const most = Math.max(...sides.map(({ known, edge }) => Math.max(greatestOf(known), edge)));
  const plots = sides.map(({ network, leaves, seen, known, edge }) => {
    const { svg, height } = steppedLine(network, seen, leaves, most, `The receptive field grows from ${known[0]} to ${greatestOf(known)} pixels`);
    if (edge) svg.append(element("svg:line", { class: "edge", x1: 0, x2: leaves.length, y1: height(edge), y2: height(edge) }));
    return { svg, ends: [rounded(most), "0"], network, reads: (index) => (seen[index] === null ? "" : `${labelOf(leaves[index])}: ${grouped(seen[index])} pixels`) };
  });
  const upTo = sides.map(({ network, known }) => titled(network, `up to ${grouped(greatestOf(known))} pixels`)).join("; ");
  const edges = [...new Set(sides.map(({ edge }) => edge).filter(Boolean))];
  const dashed = edges.length ? ` The dashed line is the input's ${edges.map(grouped).join(" and ")}.` : "";
  return figure("Receptive field by layer", `, ${upTo}.${dashed} Layers whose field is global or unknown, or that read nothing of the input, have no line.`, plots);
}

const mebibytes = (bytes) => (bytes < 2 ** 17 ? `${grouped(bytes)} bytes` : `${(bytes / 2 ** 20).toFixed(2)} MiB`);

/** The bytes that are alive after each op; the floor of the chart is what is there all the time. */
function memory() {
  const sides = networks.map((network) => ({ network, alive: network.live_bytes, most: greatestOf(network.live_bytes?.activations ?? []) })).filter(({ most }) => most);
  if (!sides.length) return null;
  const greatest = Math.max(...sides.map(({ most }) => most));
  const said = [];
  const plots = sides.map(({ network, alive, most }) => {
    const owners = alive.rows.map((row) => network.lineOf.get(row));
    const at = owners[alive.activations.indexOf(most)];
    const bound = network.totals.peak_memory?.status === "lower_bound" ? "at least " : "";
    const peak = `${bound}${mebibytes(alive.held + most)}${alive.held + most < 2 ** 17 ? "" : ` (${grouped(alive.held + most)} bytes)`}${at ? ` in ${labelOf(at)}` : ""}`;
    said.push(titled(network, `${mebibytes(alive.held)} of parameters, buffers and inputs are the floor, activations come on top. Most: ${peak}.`));
    const { svg } = steppedLine(network, alive.activations, owners, greatest, `Memory over the run; the most is ${peak}`);
    return { svg, ends: [mebibytes(alive.held + greatest), mebibytes(alive.held)], network, reads: (index) => (owners[index] ? `${labelOf(owners[index])}: ${mebibytes(alive.held + alive.activations[index])}, ${mebibytes(alive.activations[index])} of activations` : "") };
  });
  return figure("Memory after each op", `: ${said.join(" ")}`, plots);
}

function drawCharts() {
  const section = document.getElementById("charts");
  const parts = [];
  for (const [name, title] of [["macs", "MACs"], ["params", "Params"]]) {
    if (networks.some((network) => leavesOf(network).some((line) => amount(line, name)))) parts.push(bars(name, title), byKind(name, title));
  }
  if (inRunOrder) parts.push(growth());
  parts.push(memory());
  const drawn = parts.filter(Boolean);
  section.querySelector(".charts").append(...drawn);
  section.hidden = !drawn.length;
}
