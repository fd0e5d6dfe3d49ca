// The exposition formats: their names in scrape_protocols, their media types, what a scraper asks for, what a server
// chooses, and how names outside the legacy character set are escaped for those who do not take UTF-8.

export const SCRAPE_PROTOCOLS = [
  'PrometheusProto',
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
] as const;
export type ScrapeProtocol = (typeof SCRAPE_PROTOCOLS)[number];

export type Format = 'text' | 'openmetrics' | 'protobuf';
export type EscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values';
export const ESCAPING_SCHEMES: readonly EscapingScheme[] = ['allow-utf-8', 'underscores', 'dots', 'values'];

const MEDIA_TYPES: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
};

const TEXT_TYPE = 'text/plain';
const OPENMETRICS_TYPE = 'application/openmetrics-text';
const PROTOBUF_TYPE = 'application/vnd.google.protobuf';

/** The Accept header of a scrape: the protocols in order of preference, then anything. */
export function acceptHeader(protocols: readonly ScrapeProtocol[], escaping: EscapingScheme): string {
  let weight = SCRAPE_PROTOCOLS.length + 1;
  const values = protocols.map((protocol) => {
    const withEscaping = protocol === 'PrometheusText1.0.0' || protocol === 'OpenMetricsText1.0.0';
    return `${MEDIA_TYPES[protocol]}${withEscaping ? `;escaping=${escaping}` : ''};q=0.${weight--}`;
  });
  return [...values, `*/*;q=0.${weight}`].join(',');
}

/** The format of a scraped body. Throws with Prometheus' words when there is none and no fallback. */
export function formatOfBody(contentType: string | undefined, fallback: ScrapeProtocol | undefined): Format {
  const fallbackFormat = fallback && formatOfProtocol(fallback);
  if (!contentType) {
    if (fallbackFormat) return fallbackFormat;
    throw new Error(
      'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target',
    );
  }
  const type = /^\s*([!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+)\s*(?:;|$)/.exec(contentType)?.[1]?.toLowerCase();
  switch (type) {
    case TEXT_TYPE:
      return 'text';
    case OPENMETRICS_TYPE:
      return 'openmetrics';
    case PROTOBUF_TYPE:
      return 'protobuf';
  }
  if (fallbackFormat) return fallbackFormat;
  if (type === undefined) {
    throw new Error(
      `cannot parse Content-Type ${JSON.stringify(contentType)} and no fallback_scrape_protocol for target`,
    );
  }
  throw new Error(
    `received unsupported Content-Type ${JSON.stringify(contentType)} and no fallback_scrape_protocol specified for target`,
  );
}

function formatOfProtocol(protocol: ScrapeProtocol): Format {
  if (protocol === 'PrometheusProto') return 'protobuf';
  return protocol.startsWith('OpenMetrics') ? 'openmetrics' : 'text';
}

/** What a server answers with, chosen from the client's Accept header. */
export type Negotiated = { readonly format: Format; readonly escaping: EscapingScheme; readonly contentType: string };

export function negotiate(accept: string | undefined): Negotiated {
  let best: Negotiated = {
    format: 'text',
    escaping: 'underscores',
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  };
  let bestWeight = 0;
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
    const params = new Map(rest.map((piece) => piece.split('=', 2).map((s) => s.trim()) as [string, string]));
    const weight = params.has('q') ? Number(params.get('q')) : 1;
    if (!(weight > bestWeight)) continue;
    const candidate = candidateOf(type.toLowerCase(), params);
    if (!candidate) continue;
    best = candidate;
    bestWeight = weight;
  }
  return best;
}

function candidateOf(type: string, params: ReadonlyMap<string, string>): Negotiated | undefined {
  const version = params.get('version');
  const asked = ESCAPING_SCHEMES.find((scheme) => scheme === params.get('escaping'));
  switch (type) {
    case PROTOBUF_TYPE: {
      if (params.get('proto') !== 'io.prometheus.client.MetricFamily' || params.get('encoding') !== 'delimited') return;
      const contentType = `${PROTOBUF_TYPE}; proto=io.prometheus.client.MetricFamily; encoding=delimited`;
      const escaping = asked ?? 'underscores';
      return { format: 'protobuf', escaping, contentType: asked ? `${contentType}; escaping=${asked}` : contentType };
    }
    case OPENMETRICS_TYPE: {
      if (version !== undefined && version !== '1.0.0' && version !== '0.0.1') return;
      const isNew = version === '1.0.0';
      const escaping = isNew ? (asked ?? 'underscores') : 'underscores';
      const contentType = `${OPENMETRICS_TYPE}; version=${version ?? '0.0.1'}; charset=utf-8`;
      return {
        format: 'openmetrics',
        escaping,
        contentType: isNew ? `${contentType}; escaping=${escaping}` : contentType,
      };
    }
    case TEXT_TYPE: {
      if (version !== undefined && version !== '0.0.4' && version !== '1.0.0') return;
      const isNew = version === '1.0.0';
      const escaping = isNew ? (asked ?? 'underscores') : 'underscores';
      const contentType = `${TEXT_TYPE}; version=${version ?? '0.0.4'}; charset=utf-8`;
      return { format: 'text', escaping, contentType: isNew ? `${contentType}; escaping=${escaping}` : contentType };
    }
    case '*/*':
    case 'text/*':
      return { format: 'text', escaping: 'underscores', contentType: 'text/plain; version=0.0.4; charset=utf-8' };
    default:
      return undefined;
  }
}

/** A metric or label name for a reader that does not take every name. `extra` allows ':' (metric names). */
export function escapeName(name: string, scheme: EscapingScheme, extra: ':' | ''): string {
  const isLegacy = (extra === ':' ? /^[a-zA-Z_:][a-zA-Z0-9_:]*$/ : /^[a-zA-Z_][a-zA-Z0-9_]*$/).test(name);
  // By far the most frequent case.
  if (isLegacy && scheme === 'underscores') return name;
  const isLegal = (char: string, first: boolean) =>
    /[a-zA-Z_]/.test(char) || char === extra || (!first && /[0-9]/.test(char));
  const chars = [...name];
  switch (scheme) {
    case 'allow-utf-8':
      return name;
    case 'underscores':
      return chars.map((char, i) => (isLegal(char, i === 0) ? char : '_')).join('');
    case 'dots':
      return chars
        .map((char, i) => (char === '_' ? '__' : char === '.' ? '_dot_' : isLegal(char, i === 0) ? char : '__'))
        .join('');
    case 'values':
      if (isLegacy && !name.startsWith('U__')) return name;
      return `U__${chars
        .map((char, i) =>
          char === '_' ? '__' : isLegal(char, i === 0) ? char : `_${char.codePointAt(0)!.toString(16).toUpperCase()}_`,
        )
        .join('')}`;
  }
}
