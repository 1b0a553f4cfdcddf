// A drawing as an image like those of the data set.
//
// A drawing is a list of lines, each a list of points [x, y] from 0 to 1 of the drawing area. `spec`
// has the size of the image and:
//
//   box     the drawing is scaled, with equal factors, until its longer side has `box` pixels
//   radius  half the width of the pen in the image, in pixels, whatever the size of the drawing
//   centre  "mass": the centre of mass of the ink is moved to the centre of the image, by whole
//           pixels, as in MNIST; "box": the bounding box is, as in the digits of scikit-learn
const LEAST = 0.2; // of the drawing area: a shorter drawing is enlarged as if it had this length

function image(drawing, spec) {
  const { height, width, box, radius } = spec;
  const points = drawing.flat();
  const [left, right] = range(points.map((point) => point[0]));
  const [top, bottom] = range(points.map((point) => point[1]));
  const side = Math.max(right - left, bottom - top, LEAST);
  const scale = (box - 2 * radius) / side;
  const placed = drawing.map((line) => line.map(([x, y]) => [
    width / 2 + scale * (x - (left + right) / 2),
    height / 2 + scale * (y - (top + bottom) / 2)]));
  const x = ink(placed, spec);
  return spec.centre === "mass" ? centred(x) : x;
}

const range = (values) =>
  values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);

// Ink of a pixel whose centre has distance d from the line: 1 inside the pen, 0 outside, and
// r + ½ − d at its edge, about the share of the pixel that the pen covers.
function ink(drawing, { height, width, radius }) {
  const x = zeros([height, width, 1]);
  for (const line of drawing)
    for (let n = 0; n < line.length; n++) {
      const [a, b] = [line[Math.max(0, n - 1)], line[n]];
      const clip = (v, end) => Math.min(end, Math.max(0, v));
      const reach = radius + 1;
      const rows = [Math.min(a[1], b[1]) - reach, Math.max(a[1], b[1]) + reach];
      const columns = [Math.min(a[0], b[0]) - reach, Math.max(a[0], b[0]) + reach];
      for (let i = clip(Math.floor(rows[0]), height); i < clip(rows[1], height); i++)
        for (let j = clip(Math.floor(columns[0]), width); j < clip(columns[1], width); j++) {
          const value = clip(radius + 0.5 - distance([j + 0.5, i + 0.5], a, b), 1);
          x.data[i * width + j] = Math.max(x.data[i * width + j], value);
        }
    }
  return x;
}

// Distance of point p from the segment from a to b.
function distance(p, a, b) {
  const [u, v] = [b[0] - a[0], b[1] - a[1]];
  const along = ((p[0] - a[0]) * u + (p[1] - a[1]) * v) / (u * u + v * v || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(p[0] - a[0] - t * u, p[1] - a[1] - t * v);
}

// The image with its centre of mass at its centre, to the nearest pixel.
function centred(x) {
  const [height, width] = x.shape;
  let [mass, down, right] = [0, 0, 0];
  x.data.forEach((value, t) => {
    mass += value;
    down += value * (Math.floor(t / width) + 0.5);
    right += value * ((t % width) + 0.5);
  });
  return shifted(x, Math.round(height / 2 - down / mass), Math.round(width / 2 - right / mass));
}

// The image moved by whole pixels; zeros fill the gap.
function shifted(x, down, right) {
  const [height, width, channels] = x.shape;
  const y = zeros(x.shape);
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) {
      const r = i - down, s = j - right;
      if (r < 0 || r >= height || s < 0 || s >= width) continue;
      const from = (r * width + s) * channels;
      y.data.set(x.data.subarray(from, from + channels), (i * width + j) * channels);
    }
  return y;
}
