// One shape a role, so that colour is never the only sign: query circle, key square, value diamond, attention triangle.

const PATHS = {
  query: (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
  key: (r) => polygon(r * 0.9, [[-1, -1], [1, -1], [1, 1], [-1, 1]]),
  value: (r) => polygon(r * 1.2, [[0, -1], [1, 0], [0, 1], [-1, 0]]),
  attention: (r) => polygon(r * 1.15, [[0, -1], [1, 0.8], [-1, 0.8]]),
  plain: (r) => PATHS.query(r * 0.7),
};

function polygon(size, corners) {
  return `M${corners.map(([x, y]) => `${x * size},${y * size}`).join("L")}z`;
}

/** The path data of a role's shape around (0, 0). */
export function shapePath(role, radius) {
  return PATHS[role](radius);
}
