"use strict";
/* The fields of one position as boxes on the input; with --effective, the influence of each pixel below them. */

const study = JSON.parse(document.getElementById("report").textContent);
const section = document.getElementById("field");
const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; texts become text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const WORDS = { theoretical: "theoretical field", effective: "effective field" };
const AXES = { 1: ["positions"], 2: ["rows", "columns"], 3: ["planes", "rows", "columns"] };
const range = (ends) => ends.map(([first, last], axis) => `${AXES[ends.length]?.[axis] ?? `axis ${axis}`} ${first} to ${last}`).join(", ");

/** The boxes of an input, each with its name: regions of influence, or the fields of the layers on the way. */
function boxesOf(index) {
  if (study.effective) return study.effective.inputs[index].regions.map(({ name, box, share }) => ({ name: `${WORDS[name] ?? `${name} of the influence`}: ${range(box)}; ${(100 * share).toFixed(1)} % of all influence`, box, dashed: name === "theoretical", fine: name === "effective" }));
  const fields = study.sights.map(({ layer, at, inputs }) => ({ layer, at, field: inputs[index].local }));
  return fields.filter(({ field }) => field.every(Boolean)).map(({ layer, at, field }) => ({ name: `${layer} at ${at.join(", ")}: ${range(field)}`, box: field }));
}

/** One input: its pixels, a cursor that pointer and arrow keys move, and what is known of the pixel below it. */
function draw(index) {
  const { name, image } = study.sights.at(-1).inputs[index];
  const influence = study.effective?.inputs[index].influence;
  const [height, width] = image.length > 1 ? image.slice(-2) : [1, image[0]];
  const valueAt = (row, column) => (image.length > 1 ? influence[row][column] : influence[column]);
  const boxes = boxesOf(index).map((box) => ({ ...box, box: box.box.slice(-2) })).map((box) => ({ ...box, box: box.box.length > 1 ? box.box : [[0, 0], box.box[0]] }));
  const place = boxes.at(-1)?.box.map(([first, last]) => Math.floor((first + last) / 2)) ?? [0, 0];

  const svg = element("svg:svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const drawn = boxes.map(({ box: [[top, bottom], [left, right]], dashed, fine }, at) => svg.appendChild(element("svg:rect", {
    class: `region region${at % 5}${dashed ? " dashed" : ""}${fine ? " fine" : ""}`, x: left, y: top, width: right - left + 1, height: bottom - top + 1,
  })));
  const cursor = svg.appendChild(element("svg:rect", { class: "cursor", width: 1, height: 1 }));
  const canvas = element("canvas", { width, height, "aria-hidden": "true" });
  const words = element("p", { role: "status" });
  const frame = element("div", { class: "input", tabindex: 0, role: "application", "aria-roledescription": "picture of pixels", "aria-label": `Input ${name}, ${image.join("x")} pixels; arrow keys move to a pixel` }, canvas, svg);
  frame.style.aspectRatio = image.length > 1 ? `${width} / ${height}` : "8 / 1";

  function paint() {
    if (!influence) return;
    const context = canvas.getContext("2d");
    context.fillStyle = getComputedStyle(section).getPropertyValue("--accent");
    context.clearRect(0, 0, width, height);
    for (let row = 0; row < height; row += 1) for (let column = 0; column < width; column += 1) {
      const value = valueAt(row, column);
      if (!value) continue;
      context.globalAlpha = Math.sqrt(value);
      context.fillRect(column, row, 1, 1);
    }
  }

  function tell() {
    const [row, column] = place;
    cursor.setAttribute("x", column);
    cursor.setAttribute("y", row);
    const at = image.length > 1 ? `Row ${row}, column ${column}` : `Position ${column}`;
    const inside = boxes.filter(({ box: [[top, bottom], [left, right]] }) => row >= top && row <= bottom && column >= left && column <= right);
    const said = influence ? `${(100 * valueAt(row, column)).toPrecision(3)} % of the largest influence` : inside.length ? `seen by ${inside.map((each) => each.name.replace(/:.*/s, "")).join(", ")}` : "not seen";
    words.textContent = `${at}: ${said}.`;
  }

  function move(row, column) {
    place[0] = Math.min(Math.max(row, 0), height - 1);
    place[1] = Math.min(Math.max(column, 0), width - 1);
    tell();
  }

  const pointed = (event) => {
    const { left, top, width: across, height: down } = frame.getBoundingClientRect();
    move(Math.floor((event.clientY - top) / down * height), Math.floor((event.clientX - left) / across * width));
  };
  frame.addEventListener("pointermove", pointed);
  frame.addEventListener("pointerdown", pointed);
  frame.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const [down, right] = { ArrowDown: [step, 0], ArrowUp: [-step, 0], ArrowRight: [0, step], ArrowLeft: [0, -step] }[event.key] ?? [];
    if (down === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move(place[0] + down, place[1] + right);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  const legend = boxes.map((box, at) => {
    const check = element("input", { type: "checkbox", checked: "" });
    check.addEventListener("change", () => { drawn[at].style.display = check.checked ? "" : "none"; });
    return element("label", {}, check, element("i", { class: `region${at % 5}${box.dashed ? " dashed" : ""}` }), ` ${box.name}`);
  });
  paint();
  tell();
  return element("div", { class: "viewer" }, element("div", { class: "pixels" }, frame, words), element("div", { class: "legend" }, ...legend));
}

const inputs = study.sights.at(-1)?.inputs ?? [];
if (inputs.length) {
  section.querySelector(".inputs").append(...inputs.flatMap(({ name }, index) => [...(inputs.length > 1 ? [element("h3", {}, `input ${name}`)] : []), draw(index)]));
  section.hidden = false;
  // The drawing in characters shows the same; the line that explains it goes with it.
  for (const drawing of document.querySelectorAll("pre")) drawing.hidden = true;
  for (const fact of document.querySelectorAll(".totals tr")) if (fact.cells[0].textContent === "drawn") fact.hidden = true;
}
