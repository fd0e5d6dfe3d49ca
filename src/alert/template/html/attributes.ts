// What the values of HTML attributes are: a table of the attributes of HTML5 and rules for the others.

export type AttrType = 'plain' | 'css' | 'html' | 'js' | 'srcset' | 'url' | 'unsafe';

const OF_TYPE: Readonly<Record<Exclude<AttrType, 'plain' | 'js'>, string>> = {
  url:
    'action archive background cite classid codebase data formaction href icon longdesc manifest poster profile src ' +
    'usemap xmlns',
  css: 'style',
  html: 'srcdoc',
  srcset: 'srcset',
  unsafe:
    'accept-charset async challenge charset content crossorigin defer enctype form formenctype formmethod ' +
    'formnovalidate http-equiv keytype language method novalidate pattern rel sandbox type value',
};
const PLAIN =
  'accept alt autocomplete autofocus autoplay border checked class cols colspan contenteditable contextmenu controls ' +
  'coords datetime default dir dirname disabled draggable dropzone for formtarget headers height hidden high hreflang ' +
  'id ismap kind label lang list loop low max maxlength media mediagroup min multiple name open optimum placeholder ' +
  'preload pubdate radiogroup readonly required reversed rows rowspan spellcheck scope scoped seamless selected shape ' +
  'size sizes span srclang start step tabindex target title width wrap';

const TYPES: ReadonlyMap<string, AttrType> = new Map([
  ...PLAIN.split(' ').map((name) => [name, 'plain'] as const),
  ...Object.entries(OF_TYPE).flatMap(([type, names]) =>
    names.split(' ').map((name) => [name, type as AttrType] as const),
  ),
]);

export function attrType(attribute: string): AttrType {
  let name = attribute;
  if (name.startsWith('data-')) name = name.slice(5);
  else {
    const colon = name.indexOf(':');
    if (colon >= 0) {
      if (name.slice(0, colon) === 'xmlns') return 'url';
      name = name.slice(colon + 1);
    }
  }
  const known = TYPES.get(name);
  if (known) return known;
  if (name.startsWith('on')) return 'js';
  return /src|uri|url/.test(name) ? 'url' : 'plain';
}
