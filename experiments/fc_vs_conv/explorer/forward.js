// Forward pass of a network for one image.
//
// An array has a shape and data, in row-major order: x[i, j, m] of shape [h, w, c] is
// x.data[(i * w + j) * c + m]. A network is a list of layers, each with its kind and, if it has
// parameters, the arrays w and b.

const zeros = (shape) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

const layers = {
  // y[i, j, k] = b[k] + Σ_{p, q, m} x[i + p − P, j + q − Q, m] w[p, q, m, k]
  // The window is centred: P and Q are half its size, rounded down. x is 0 outside ("same" padding).
  conv(x, { w, b }) {
    const [height, width, channels] = x.shape;
    const [rows, columns, , features] = w.shape;
    const y = zeros([height, width, features]);
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const at = (i * width + j) * features;
        y.data.set(b.data, at);
        for (let p = 0; p < rows; p++)
          for (let q = 0; q < columns; q++) {
            const r = i + p - (rows >> 1), s = j + q - (columns >> 1);
            if (r < 0 || r >= height || s < 0 || s >= width) continue;
            for (let m = 0; m < channels; m++) {
              const value = x.data[(r * width + s) * channels + m];
              if (value === 0) continue; // background, and half of what relu returns
              const from = ((p * columns + q) * channels + m) * features;
              for (let k = 0; k < features; k++) y.data[at + k] += value * w.data[from + k];
            }
          }
      }
    return y;
  },

  // y[i, j, m] = max of x[2 i + p, 2 j + q, m] over p, q in {0, 1}; an odd last row is not read
  max_pool(x) {
    const [height, width, channels] = x.shape;
    const y = zeros([height >> 1, width >> 1, channels]);
    const at = (i, j) => (i * width + j) * channels;
    for (let i = 0, t = 0; i < y.shape[0]; i++)
      for (let j = 0; j < y.shape[1]; j++)
        for (let m = 0; m < channels; m++, t++)
          y.data[t] = Math.max(
            x.data[at(2 * i, 2 * j) + m], x.data[at(2 * i, 2 * j + 1) + m],
            x.data[at(2 * i + 1, 2 * j) + m], x.data[at(2 * i + 1, 2 * j + 1) + m]);
    return y;
  },

  // y[k] = b[k] + Σ_m x[m] w[m, k]
  dense(x, { w, b }) {
    const [inputs, features] = w.shape;
    const y = { shape: [features], data: Float32Array.from(b.data) };
    for (let m = 0; m < inputs; m++) {
      const value = x.data[m];
      if (value === 0) continue;
      for (let k = 0; k < features; k++) y.data[k] += value * w.data[m * features + k];
    }
    return y;
  },

  // y[m] = mean of x[i, j, m] over i and j
  global_avg_pool(x) {
    const [height, width, channels] = x.shape;
    const y = zeros([channels]);
    for (let t = 0; t < x.data.length; t++) y.data[t % channels] += x.data[t] / (height * width);
    return y;
  },

  relu: (x) => ({ shape: x.shape, data: x.data.map((value) => Math.max(0, value)) }),
  flatten: (x) => ({ shape: [x.data.length], data: x.data }),
};

// The output of each layer; the last one has the logits.
function forward(network, x) {
  return network.layers.map((layer) => (x = layers[layer.kind](x, layer)));
}

// p[k] = exp(z[k]) / Σ_l exp(z[l]); the largest z is subtracted first, so that no exp overflows
function softmax({ data }) {
  const largest = Math.max(...data);
  const powers = Array.from(data, (z) => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// Class activation map (Zhou et al. 2016) of class k in a network that ends in global average
// pooling and a dense layer: M[i, j] = Σ_m x[i, j, m] w[m, k]. The logit is b[k] + the mean of M.
function classActivation(network, outputs, k) {
  const last = network.layers.length - 1;
  if (last < 2 || network.layers[last - 1].kind !== "global_avg_pool") return null;
  const x = outputs[last - 2], { w } = network.layers[last];
  const [height, width, channels] = x.shape;
  const map = zeros([height, width]);
  for (let t = 0; t < x.data.length; t++)
    map.data[(t / channels) | 0] += x.data[t] * w.data[(t % channels) * w.shape[1] + k];
  return map;
}

// Float16 in base64: 1 bit of sign s, 5 of exponent e, 10 of fraction f. The value is
// (−1)^s 2^(e − 15) (1 + f / 1024), and (−1)^s 2^(−14) f / 1024 for e = 0.
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
    const bits = bytes[2 * i] | (bytes[2 * i + 1] << 8);
    const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
    return bits >> 15 ? -size : size;
  });
}

// A network whose layers have the arrays w and b, from the page's description and weights.
function load({ layers, weights, ...rest }) {
  const flat = decode(weights);
  let start = 0;
  const array = (shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { shape, data: flat.subarray(start, (start += size)) };
  };
  const arrays = layers.map(({ w, b, ...layer }) => (w ? { ...layer, w: array(w), b: array(b) } : layer));
  return { ...rest, layers: arrays };
}
