// TopoJSON (shared arcs, delta coded) to the GeoJSON that charts draw on a flat map: what crosses the date line is cut there,
// or its outline would run back across the whole world.

type Geometry =
  | { readonly type: 'Polygon'; readonly arcs: number[][]; readonly properties?: { name?: string } }
  | { readonly type: 'MultiPolygon'; readonly arcs: number[][][]; readonly properties?: { name?: string } };
export type Topology = {
  readonly arcs: readonly (readonly (readonly [number, number])[])[];
  readonly transform: { readonly scale: readonly [number, number]; readonly translate: readonly [number, number] };
  readonly objects: Readonly<Record<string, { readonly geometries: readonly Geometry[] }>>;
};

type Ring = [number, number][];

export function toGeoJson(topology: Topology, name: string): unknown {
  const { scale, translate } = topology.transform;
  const arcs = topology.arcs.map((arc): Ring => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => {
      x += dx;
      y += dy;
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
  });
  // A negative index is an arc taken backwards.
  const ring = (indexes: readonly number[]): Ring => {
    const points: Ring = [];
    for (const index of indexes) {
      const arc = index < 0 ? [...arcs[~index]!].reverse() : arcs[index]!;
      points.push(...(points.length > 0 ? arc.slice(1) : arc));
    }
    return points;
  };
  const cut = (polygon: readonly (readonly number[])[]): Ring[][] => cutAtDateLine(polygon.map(ring));
  const features = (topology.objects[name]?.geometries ?? []).map((geometry) => ({
    type: 'Feature',
    properties: { name: geometry.properties?.name ?? '' },
    geometry: {
      type: 'MultiPolygon',
      coordinates: geometry.type === 'Polygon' ? cut(geometry.arcs) : geometry.arcs.flatMap(cut),
    },
  }));
  return { type: 'FeatureCollection', features };
}

const TURN = 360;
const EDGE = 180;

/** A polygon on the sphere as polygons between -180 and 180 degrees. */
export function cutAtDateLine(polygon: readonly Ring[]): Ring[][] {
  const outer = unwrapped(polygon[0] ?? []);
  const longitudes = outer.map(([x]) => x);
  if (Math.min(...longitudes) >= -EDGE && Math.max(...longitudes) <= EDGE) return [[outer, ...polygon.slice(1)]];
  return [-TURN, 0, TURN]
    .map((shift) =>
      clipped(
        clipped(
          outer.map(([x, y]): Point => [x + shift, y]),
          -EDGE,
          1,
        ),
        EDGE,
        -1,
      ),
    )
    .filter((part) => part.length > 3)
    .map((part) => [part]);
}

type Point = Ring[number];

/** Longitudes that go on beyond 180 degrees instead of jumping; a ring around a pole is closed along it. */
function unwrapped(ring: Ring): Ring {
  let shift = 0;
  let before = ring[0]?.[0] ?? 0;
  const out = ring.map(([x, y]): Point => {
    if (x - before > EDGE) shift -= TURN;
    if (before - x > EDGE) shift += TURN;
    before = x;
    return [x + shift, y];
  });
  const [first, last] = [out[0], out.at(-1)];
  if (!first || !last || Math.abs(last[0] - first[0]) < EDGE) return out;
  const pole = first[1] < 0 ? -90 : 90;
  return [...out, [last[0], pole], [first[0], pole], first];
}

/** The part of a ring on one side of a meridian: `side` 1 keeps what lies east of it, -1 what lies west. */
function clipped(ring: Ring, meridian: number, side: 1 | -1): Ring {
  const isInside = ([x]: Point) => (x - meridian) * side >= 0;
  const out: Ring = [];
  ring.forEach((point, index) => {
    const before = ring[(index + ring.length - 1) % ring.length]!;
    if (isInside(point) !== isInside(before)) {
      const share = (meridian - before[0]) / (point[0] - before[0]);
      out.push([meridian, before[1] + share * (point[1] - before[1])]);
    }
    if (isInside(point)) out.push(point);
  });
  return out;
}
