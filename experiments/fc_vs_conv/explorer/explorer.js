// The explorer: a drawing or a test image, shifted by whole pixels, goes through all networks.

const $ = (name) => document.getElementById(`explorer-${name}`);
const data = JSON.parse($("data").textContent);
const [height, width, channels] = data.shape;
const networks = data.networks.map(load);
const pixels = decode(data.images);
const section = document.querySelector(".explorer");

const state = {
  drawing: [], // lines of points [x, y] from 0 to 1
  example: 0, // the chosen test image; null while there is a drawing
  shift: [0, 0], // down, right
  chosen: null, // the class of the activation map; null for the predicted one
};

function input() {
  if (state.example === null && state.drawing.length)
    return image(state.drawing, { height, width, ...data.pen });
  const x = zeros(data.shape);
  const from = state.example * x.data.length;
  if (state.example !== null) x.data.set(pixels.subarray(from, from + x.data.length));
  return x;
}

// Pictures. Each is painted pixel by pixel, and enlarged by the browser.

function paint(canvas, rows, columns, colour) {
  [canvas.height, canvas.width] = [rows, columns];
  const context = canvas.getContext("2d"), picture = context.createImageData(columns, rows);
  const cells = new Uint32Array(picture.data.buffer);
  for (let t = 0; t < cells.length; t++) cells[t] = colour(t);
  context.putImageData(picture, 0, 0);
}

const rgba = (red, green, blue, alpha = 255) => (alpha << 24) | (blue << 16) | (green << 8) | red;
const grey = (level) => rgba(level, level, level);
const GAP = grey(70);

// All maps of [h, w, n], or n units as single cells, side by side; white is the largest value.
function paintMaps(canvas, { shape, data: values }) {
  const [h, w, n] = shape.length === 3 ? shape : [1, 1, shape[0]];
  const across = Math.ceil(Math.sqrt(n)), down = Math.ceil(n / across);
  const gap = h > 1 ? 1 : 0, columns = across * (w + gap) - gap;
  const largest = Math.max(1e-9, values.reduce((a, b) => Math.max(a, b), 0));
  paint(canvas, down * (h + gap) - gap, columns, (t) => {
    const i = (t / columns) | 0, j = t % columns;
    const [r, s] = [i % (h + gap), j % (w + gap)];
    const map = ((i / (h + gap)) | 0) * across + ((j / (w + gap)) | 0);
    if (map >= n) return 0;
    return r < h && s < w ? grey((255 * values[(r * w + s) * n + map]) / largest) : GAP;
  });
}

// The class activation map over the image: orange speaks for the class, blue against it.
const heat = document.createElement("canvas");
function paintHeat(x, { shape: [h, w], data: values }) {
  const canvas = $("heat"), context = canvas.getContext("2d"), side = canvas.width;
  const largest = Math.max(1e-9, values.reduce((a, b) => Math.max(a, Math.abs(b)), 0));
  const colour = (value) => (value > 0 ? [255, 140, 40] : [70, 150, 255]);
  paint(heat, h, w, (t) => rgba(...colour(values[t]), (215 * Math.abs(values[t])) / largest));
  context.imageSmoothingEnabled = false;
  context.drawImage($("seen"), 0, 0, side, side);
  context.imageSmoothingEnabled = true;
  context.drawImage(heat, 0, 0, side, side);
}

function paintPen() {
  if (!data.pen) return;
  const context = $("pen").getContext("2d");
  context.clearRect(0, 0, 560, 560);
  Object.assign(context, { lineWidth: 36, lineCap: "round", lineJoin: "round" });
  Object.assign(context, { strokeStyle: "#fff", fillStyle: "#9aa4b0" });
  Object.assign(context, { font: "44px system-ui, sans-serif", textAlign: "center" });
  if (!state.drawing.length) context.fillText("draw a digit", 280, 290);
  for (const [first, ...rest] of state.drawing) {
    context.beginPath();
    for (const [x, y] of [first, first, ...rest]) context.lineTo(560 * x, 560 * y);
    context.stroke();
  }
}

// One pass through all networks, and everything that shows it.

const rows = [...section.querySelectorAll(".bars tbody tr")];
const heads = [...section.querySelectorAll(".bars output")];
const stages = [...section.querySelectorAll(".stages .row")].map((row, n) =>
  networks[n].layers.flatMap(({ kind }, i) => {
    if (kind !== "relu") return [];
    const canvas = row.appendChild(document.createElement("canvas"));
    return [{ canvas, i }];
  }));

const percent = (p) => `${p > 0.995 && p < 0.9995 ? (100 * p).toFixed(1) : Math.round(100 * p)} %`;

function update() {
  const start = performance.now();
  const x = shifted(input(), ...state.shift);
  const empty = x.data.every((value) => value === 0);
  const level = (t, m) => 255 * x.data[t * channels + Math.min(m, channels - 1)];
  paint($("seen"), height, width, (t) => rgba(level(t, 0), level(t, 1), level(t, 2)));
  rows.forEach((row, k) =>
    row.querySelector("button")?.setAttribute("aria-pressed", state.chosen === k));
  const live = networks.map((network, n) => {
    const outputs = forward(network, x);
    const p = softmax(outputs[outputs.length - 1]);
    const best = p.indexOf(Math.max(...p));
    heads[n].textContent = empty ? "–" : data.classes[best];
    rows.forEach((row, k) => {
      const cell = row.cells[n + 1], value = empty ? 0 : p[k];
      cell.className = !empty && k === best ? "top" : "";
      cell.firstChild.style.width = `${value >= 0.005 ? 100 * value : 0}%`;
      cell.lastChild.textContent = value >= 0.005 ? percent(value) : "";
    });
    stages[n].forEach(({ canvas, i }) => paintMaps(canvas, outputs[i]));
    const k = state.chosen ?? best, map = classActivation(network, outputs, k);
    if (map) {
      section.querySelector(".heat").hidden = false;
      paintHeat(x, map);
      $("heat-text").textContent = `${network.name}: what speaks for ${data.classes[k]} (orange) and against it (blue). Click a class in the table for its map.`;
    }
    return `${network.name} reads ${data.classes[best]}, ${percent(p[best])}`;
  });
  $("shift").textContent = moved(...state.shift);
  announce(empty ? "There is no image." : `${live.join("; ")}.`);
  const took = performance.now() - start;
  times.push(took);
  $("time").textContent = `The last change took ${took.toFixed(0)} ms for ${networks.length} networks.`;
}

// Screen readers hear the predictions when they have not changed for a moment.
let pause;
function announce(text) {
  clearTimeout(pause);
  pause = setTimeout(() => ($("live").textContent = text), 400);
}

function moved(down, right) {
  const across = right && `${Math.abs(right)} ${right < 0 ? "left" : "right"}`;
  const along = down && `${Math.abs(down)} ${down < 0 ? "up" : "down"}`;
  const both = [across, along].filter(Boolean).join(", ");
  return both ? `shifted: ${both}` : "not shifted";
}

let waiting = false;
const times = []; // milliseconds of each update
function change(values) {
  Object.assign(state, values);
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    update();
  });
}

// Events.

function follow(canvas, start, move) {
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    start(at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const all = event.getCoalescedEvents();
    for (const each of all.length ? all : [event]) move(at(each));
  });
}

if (data.pen) {
  follow($("pen"), (at) => {
    if (state.example !== null) Object.assign(state, { drawing: [], shift: [0, 0] });
    state.drawing.push([at]);
    paintPen();
    change({ example: null, chosen: null });
  }, (at) => {
    state.drawing.at(-1).push(at);
    paintPen();
    change({});
  });
}

const limit = (v, end) => Math.max(-end, Math.min(end, v));
const shiftTo = (down, right) => change({ shift: [limit(down, height), limit(right, width)] });
let grip;
follow($("seen"), (at) => (grip = [at, state.shift]), ([x, y]) => {
  const [[left, top], [down, right]] = grip;
  shiftTo(down + Math.round(height * (y - top)), right + Math.round(width * (x - left)));
});
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
$("seen").addEventListener("keydown", (event) => {
  const step = ARROWS[event.key];
  if (!step) return;
  event.preventDefault();
  shiftTo(state.shift[0] + step[0], state.shift[1] + step[1]);
});

function show(example) {
  change({ example, drawing: [], shift: [0, 0], chosen: null });
  paintPen();
}
document.querySelectorAll("button[data-image]").forEach((button) =>
  button.addEventListener("click", () => {
    show(Number(button.dataset.image));
    if (!section.contains(button)) section.scrollIntoView();
  }));
$("clear").addEventListener("click", () => show(null));
$("unshift").addEventListener("click", () => change({ shift: [0, 0] }));
$("next").addEventListener("click", () =>
  show(state.example === null ? 0 : (state.example + 1) % data.labels.length));
rows.forEach((row, k) =>
  row.querySelector("button")?.addEventListener("click", () =>
    change({ chosen: state.chosen === k ? null : k })));

paintPen();
globalThis.explorer = { data, networks, pixels, state, times, forward, softmax, classActivation, image, shifted, zeros };
update();
