// The icons, drawn as strokes on a 24 x 24 grid. They decorate a text or a labelled button, so readers skip them.

const PATHS = {
  home: 'M4 11 12 4l8 7M6 10v9h12v-9M10 19v-5h4v5',
  dashboards: 'M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z',
  explore: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM15.500 8.500l-2 5-5 2 2-5z',
  metrics: 'M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6',
  bell: 'M6 16v-5a6 6 0 1 1 12 0v5l1.500 2h-15zM10 20.500h4',
  groups: 'M4 6h6v5H4zM14 6h6v5h-6zM4 14h6v5H4zM14 14h6v5h-6z',
  silence: 'M6 16v-5a6 6 0 0 1 9-5.200M18 11v5l1.500 2H8M4 4l16 16',
  history: 'M4 12a8 8 0 1 0 2.500-5.800L4 8.500M4 4v4.500h4.500M12 8v4.500l3 2',
  route: 'M5 5v5a3 3 0 0 0 3 3h8a3 3 0 0 1 3 3v3M5 5 3 7M5 5l2 2M19 19l-2-2M19 19l2-2M12 13v6',
  target: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3',
  discover: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 7.500v.5',
  database:
    'M5 6c0-1.700 3-3 7-3s7 1.300 7 3-3 3-7 3-7-1.300-7-3zM5 6v12c0 1.700 3 3 7 3s7-1.300 7-3V6M5 12c0 1.700 3 3 7 3s7-1.300 7-3',
  tags: 'M4 4h7l9 9-7 7-9-9zM8 8h.01',
  speed: 'M4 17a8 8 0 1 1 16 0M12 17l4-6',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  folder: 'M3 6h6l2 2.500h10V19H3z',
  flag: 'M6 21V4M6 4h11l-2 4 2 4H6',
  push: 'M12 15V4M8 8l4-4 4 4M5 14v5h14v-5',
  shards: 'M12 3 21 8l-9 5-9-5zM3 12l9 5 9-5M3 16l9 5 9-5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z',
  language:
    'M4 6h9M8.500 4v2M11.500 6c-1 4-3.500 7-7 8.500M6 9c1 2.500 3 4.500 5.500 5.500M13 20l4-10 4 10M14.500 17h5',
  menu: 'M4 7h16M4 12h16M4 17h16',
  fold: 'M14 6l-6 6 6 6',
  unfold: 'M10 6l6 6-6 6',
  down: 'M6 9l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  play: 'M7 5l12 7-12 7z',
  pause: 'M8 5v14M16 5v14',
  refresh: 'M20 12a8 8 0 1 1-2.500-5.800L20 8.500M20 4v4.500h-4.500',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.500 2',
  share:
    'M8 12l8-5M8 12l8 5M6 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM18 4a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM18 15a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  download: 'M12 4v11M8 11l4 4 4-4M5 20h14',
  upload: 'M12 15V4M8 8l4-4 4 4M5 20h14',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  save: 'M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6',
  trash: 'M5 7h14M10 4h4M7 7l1 13h8l1-13M10 11v6M14 11v6',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5',
  full: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  dots: 'M12 5v.01M12 12v.01M12 19v.01',
  check: 'M5 12.500 10 17l9-10',
  warning: 'M12 4 2.500 20h19zM12 10v5M12 17.500v.5',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  graph: 'M4 20V4M4 20h16M7 15l4-5 3 3 5-7',
  table: 'M4 5h16v14H4zM4 10h16M4 15h16M10 5v14',
  heat: 'M4 4h5v5H4zM10 4h5v5h-5zM4 10h5v5H4zM10 10h5v5h-5zM16 4h4v5h-4zM16 10h4v5h-4zM4 16h5v4H4zM10 16h5v4h-5zM16 16h4v4h-4z',
  tree: 'M5 4v14h6M5 10h6M13 7.500h6v5h-6zM13 15.500h6v5h-6z',
  zoomOut: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5M8 11h6',
  left: 'M15 6l-6 6 6 6',
  right: 'M9 6l6 6-6 6',
  eye: 'M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z',
  camera: 'M4 8h4l1.500-3h5L16 8h4v11H4zM12 10a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z',
  settings: 'M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h5M13 12h7M11 10v4',
  star: 'M12 4l2.500 5.200 5.500.8-4 4 1 5.700-5-2.700-5 2.700 1-5.700-4-4 5.500-.8z',
  calendar: 'M5 6h14v14H5zM5 10h14M9 4v4M15 4v4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.75}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      style={{ flex: 'none', display: 'block' }}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The lighthouse. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false" style={{ flex: 'none' }}>
      <rect width="32" height="32" rx="7" fill="#0b3a5b" />
      <path d="M17.500 10.200 30 5v11l-12.500-3z" fill="#ffc04d" opacity=".9" />
      <path d="M14.500 10.200 2 5v11l12.500-3z" fill="#ffc04d" opacity=".35" />
      <path d="M13 9h6l.6 3.500h-7.200zM12.200 14h7.600L21.500 27h-11z" fill="#fff" />
      <path d="M12.500 8.200 16 5l3.500 3.200z" fill="#ff8a4c" />
    </svg>
  );
}
