// TopoJSON (shared arcs, delta coded) to the GeoJSON that charts draw.

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
  const features = (topology.objects[name]?.geometries ?? []).map((geometry) => ({
    type: 'Feature',
    properties: { name: geometry.properties?.name ?? '' },
    geometry:
      geometry.type === 'Polygon'
        ? { type: 'Polygon', coordinates: geometry.arcs.map(ring) }
        : { type: 'MultiPolygon', coordinates: geometry.arcs.map((polygon) => polygon.map(ring)) },
  }));
  return { type: 'FeatureCollection', features };
}
