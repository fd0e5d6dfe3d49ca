// Contextual escaping: walks a template with the context its text stands in and appends to each action what makes its
// value harmless there. A template that is called in several contexts gets a copy for each. Works on copies of the trees.

import {
  type Action,
  type Branch,
  type Call,
  describePosition,
  formatNode,
  type List,
  type Node,
  type Pipe,
  type Source,
  type Text,
  type Tree,
} from '../node.ts';
import { TemplateError } from '../parse.ts';
import { goQuote } from '../quote.ts';
import {
  type Context,
  contextKey,
  DEAD,
  failed,
  formatContext,
  isComment,
  join,
  nudge,
  sameContext,
  TEXT,
} from './context.ts';
import { contextAfterText } from './text.ts';

/** The trees that executing `name` as HTML needs; the originals stay as they are. */
export function escapeTrees(trees: ReadonlyMap<string, Tree>, name: string): ReadonlyMap<string, Tree> {
  const set = new EscapedSet(trees);
  const escaper = new Escaper(set);
  const { context } = escaper.tree(TEXT, name, undefined);
  const place = name === '' ? '' : `:${name}`;
  if (context.problem) {
    const { reason, position } = context.problem;
    throw new TemplateError(`html/template${position === undefined ? place : `:${position}`}: ${reason}`);
  }
  if (context.state !== 'stateText') {
    throw new TemplateError(`html/template${place}: ends in a non-text context: ${formatContext(context)}`);
  }
  escaper.commit();
  return set.copies;
}

class EscapedSet {
  readonly copies = new Map<string, Tree>();
  readonly #originals: ReadonlyMap<string, Tree>;
  constructor(originals: ReadonlyMap<string, Tree>) {
    this.#originals = originals;
  }
  /** The copy under a name that says its context. */
  copy(name: string, mangled: string): Tree | undefined {
    const existing = this.copies.get(mangled);
    if (existing) return existing;
    const original = this.#originals.get(name);
    if (!original) return undefined;
    const tree = { ...original, root: structuredClone(original.root) };
    this.copies.set(mangled, tree);
    return tree;
  }
}

/** Contexts at the jumps of a loop. */
type Loop = {
  readonly outer: Loop | undefined;
  readonly jumps: { context: Context; position: string; what: string }[];
};

class Escaper {
  readonly #set: EscapedSet;
  /** By mangled name: the context after the template. */
  readonly #outputs = new Map<string, Context>();
  readonly #called = new Set<string>();
  readonly #actions = new Map<Action, readonly string[]>();
  readonly #calls = new Map<Call, string>();
  readonly #texts = new Map<Text, string>();
  #loop: Loop | undefined;
  #source: Source = { name: '', text: '' };

  constructor(set: EscapedSet) {
    this.#set = set;
  }

  commit(): void {
    for (const [node, escapers] of this.#actions) appendEscapers(node.pipe, [...escapers]);
    for (const [node, name] of this.#calls) node.name = name;
    for (const [node, text] of this.#texts) node.text = text;
  }

  #where(node: { position: number }): string {
    return describePosition(this.#source, node.position);
  }

  // Templates.

  tree(c: Context, name: string, caller: Call | undefined): { context: Context; mangled: string } {
    const mangled = contextKey(c) === contextKey(TEXT) ? name : `${name}$htmltemplate_${contextKey(c)}`;
    this.#called.add(mangled);
    const known = this.#outputs.get(mangled);
    if (known) return { context: known, mangled };
    const tree = this.#set.copy(name, mangled);
    if (!tree) {
      const position = caller ? this.#where(caller) : undefined;
      return { context: failed(`no such template ${goQuote(name)}`, position), mangled };
    }
    return { context: this.#output(c, mangled, tree), mangled };
  }

  #output(c: Context, mangled: string, tree: Tree): Context {
    const first = this.#body(c, c, mangled, tree);
    if (first.sure) return first.context;
    const second = this.#body(c, first.context, mangled, tree);
    if (second.sure) return second.context;
    if (first.context.state === 'stateError') return first.context;
    return failed(`cannot compute output context for template ${mangled}`);
  }

  /** Escapes a body on the assumption that it ends in `assumed`; keeps the edits only if it does. */
  #body(c: Context, assumed: Context, mangled: string, tree: Tree): { context: Context; sure: boolean } {
    this.#outputs.set(mangled, assumed);
    const child = this.#child();
    child.#source = tree.source;
    child.#loop = undefined;
    const context = child.#list(c, tree.root);
    const sure = context.state !== 'stateError' && (!child.#called.has(mangled) || sameContext(assumed, context));
    if (sure) {
      this.#take(child);
      this.#outputs.set(mangled, context);
    }
    return { context, sure };
  }

  #child(): Escaper {
    const child = new Escaper(this.#set);
    child.#source = this.#source;
    child.#loop = this.#loop;
    for (const [name, context] of this.#outputs) child.#outputs.set(name, context);
    return child;
  }

  #take(child: Escaper): void {
    for (const [name, context] of child.#outputs) this.#outputs.set(name, context);
    for (const name of child.#called) this.#called.add(name);
    for (const [node, edit] of child.#actions) this.#actions.set(node, edit);
    for (const [node, edit] of child.#calls) this.#calls.set(node, edit);
    for (const [node, edit] of child.#texts) this.#texts.set(node, edit);
  }

  // Nodes.

  #list(c: Context, list: List | undefined): Context {
    let context = c;
    for (const node of list?.nodes ?? []) {
      context = this.#node(context, node);
      if (context.state === 'stateDead') break;
    }
    return context;
  }

  #node(c: Context, node: Node): Context {
    switch (node.kind) {
      case 'text':
        return this.#text(c, node);
      case 'action':
        return this.#action(c, node);
      case 'template': {
        const { context, mangled } = this.tree(c, node.name, node);
        if (mangled !== node.name) this.#calls.set(node, mangled);
        return context;
      }
      case 'break':
      case 'continue':
        this.#loop?.jumps.push({ context: c, position: this.#where(node), what: node.kind });
        return DEAD;
      case 'if':
      case 'with':
        return join(this.#list(c, node.list), this.#list(c, node.otherwise), node.kind, this.#where(node));
      case 'range':
        return this.#range(c, node);
    }
  }

  #range(c: Context, node: Branch): Context {
    const where = this.#where(node);
    const enter = () => {
      this.#loop = { outer: this.#loop, jumps: [] };
    };
    const leave = (context: Context): Context => {
      const loop = this.#loop!;
      this.#loop = loop.outer;
      let joined = context;
      for (const jump of loop.jumps) {
        if (joined.state === 'stateError') return joined;
        joined = join(joined, jump.context, 'range', jump.position);
        if (joined.problem) return failed(`at range loop ${jump.what}: ${joined.problem.reason}`, jump.position);
      }
      return joined;
    };
    enter();
    let context = leave(this.#list(c, node.list));
    if (context.state === 'stateError') return context;
    // A second round must end where the first one did.
    enter();
    const again = this.#child().#list(context, node.list);
    const joined = join(context, again, 'range', where);
    if (joined.problem) {
      this.#loop = this.#loop!.outer;
      return failed(
        `on range loop re-entry: ${joined.problem.reason}`,
        joined.problem.position ?? `${this.#source.name}:${node.line}`,
      );
    }
    context = leave(joined);
    if (context.state === 'stateError') return context;
    return join(context, this.#list(c, node.otherwise), 'range', where);
  }

  // Actions.

  #action(before: Context, node: Action): Context {
    if (node.pipe.declares.length > 0) return before;
    const c = nudge(before);
    const { commands } = node.pipe;
    for (const [i, command] of commands.entries()) {
      const first = command.args[0]!;
      if (first.kind !== 'identifier' || !PREDEFINED.has(first.name)) continue;
      const unquoted = c.state === 'stateAttr' && c.delim === 'delimSpaceOrTagEnd' && first.name === 'html';
      if (i < commands.length - 1 || unquoted) {
        return failed(`predefined escaper ${goQuote(first.name)} disallowed in template`, this.#where(node));
      }
    }
    const chosen = this.#escapersFor(c, node);
    if ('problem' in chosen) return chosen.problem;
    const escapers = [...chosen.escapers];
    if (c.delim === 'delimSpaceOrTagEnd') escapers.push('_html_template_nospaceescaper');
    else if (c.delim !== 'delimNone') escapers.push('_html_template_attrescaper');
    this.#actions.set(node, escapers);
    return chosen.context ?? c;
  }

  #escapersFor(
    c: Context,
    node: Action,
  ): { readonly escapers: readonly string[]; readonly context?: Context } | { readonly problem: Context } {
    switch (c.state) {
      case 'stateError':
        return { problem: c };
      case 'stateURL':
      case 'stateCSSDqStr':
      case 'stateCSSSqStr':
      case 'stateCSSDqURL':
      case 'stateCSSSqURL':
      case 'stateCSSURL': {
        if (c.urlPart === 'urlPartUnknown') {
          const reason = `${formatNode(node)} appears in an ambiguous context within a URL`;
          return { problem: failed(reason, this.#where(node)) };
        }
        if (c.urlPart === 'urlPartQueryOrFrag') return { escapers: ['_html_template_urlescaper'] };
        const inString = c.state === 'stateCSSDqStr' || c.state === 'stateCSSSqStr';
        const normal = inString ? '_html_template_cssescaper' : '_html_template_urlnormalizer';
        return { escapers: c.urlPart === 'urlPartNone' ? ['_html_template_urlfilter', normal] : [normal] };
      }
      case 'stateJS':
        return { escapers: ['_html_template_jsvalescaper'], context: { ...c, jsContext: 'jsCtxDivOp' } };
      case 'stateJSDqStr':
      case 'stateJSSqStr':
        return { escapers: ['_html_template_jsstrescaper'] };
      case 'stateJSTmplLit':
        return { escapers: ['_html_template_jstmpllitescaper'] };
      case 'stateJSRegexp':
        return { escapers: ['_html_template_jsregexpescaper'] };
      case 'stateCSS':
        return { escapers: ['_html_template_cssvaluefilter'] };
      case 'stateText':
        return { escapers: ['_html_template_htmlescaper'] };
      case 'stateRCDATA':
        return { escapers: ['_html_template_rcdataescaper'] };
      case 'stateAttr':
        return { escapers: [] };
      case 'stateAttrName':
      case 'stateTag':
        return { escapers: ['_html_template_htmlnamefilter'], context: { ...c, state: 'stateAttrName' } };
      case 'stateSrcset':
        return { escapers: ['_html_template_srcsetescaper'] };
      default:
        return { escapers: ['_html_template_commentescaper'] };
    }
  }

  // Text.

  #text(before: Context, node: Text): Context {
    let c = before;
    let out = '';
    let at = 0;
    let written = 0;
    const s = node.text;
    while (at < s.length) {
      const [next, consumed] = contextAfterText(c, s.slice(at));
      const end = at + consumed;
      if (c.state === 'stateText' || c.state === 'stateRCDATA') {
        const tagStart = next.state === c.state ? -1 : s.slice(at, end).lastIndexOf('<');
        const plainEnd = tagStart < 0 ? end : at + tagStart;
        for (let i = at; i < plainEnd; i++) {
          if (s[i] !== '<' || /^<!doctype/i.test(s.slice(i, i + 9))) continue;
          out += `${s.slice(written, i)}&lt;`;
          written = i + 1;
        }
      } else if (isComment(c.state) && c.delim === 'delimNone') {
        if (c.state === 'stateJSBlockCmt') out += /[\n\r\u2028\u2029]/.test(s.slice(written, end)) ? '\n' : ' ';
        else if (c.state === 'stateCSSBlockCmt') out += ' ';
        written = end;
      }
      if (c.state !== next.state && isComment(next.state) && next.delim === 'delimNone') {
        out += s.slice(written, end - commentMark(next));
        written = end;
      }
      c = next;
      at = end;
    }
    if (written > 0 && c.state !== 'stateError') {
      if (!isComment(c.state) || c.delim !== 'delimNone') out += s.slice(written);
      this.#texts.set(node, out);
    }
    return c;
  }
}

/** Length of what opens a comment. */
function commentMark(c: Context): number {
  if (c.state === 'stateHTMLCmt' || c.state === 'stateJSHTMLOpenCmt') return 4;
  return c.state === 'stateJSHTMLCloseCmt' ? 3 : 2;
}

// Pipelines.

const PREDEFINED = new Set(['html', 'urlquery']);

/** Escapers of the language itself that do what one of ours does. */
const EQUIVALENT: Readonly<Record<string, string>> = {
  _html_template_attrescaper: 'html',
  _html_template_htmlescaper: 'html',
  _html_template_rcdataescaper: 'html',
  _html_template_urlescaper: 'urlquery',
  _html_template_urlnormalizer: 'urlquery',
};
const normal = (name: string): string => EQUIVALENT[name] ?? name;

/** REDUNDANT[a] has b: what a wrote, b would not change. */
const REDUNDANT: Readonly<Record<string, readonly string[]>> = {
  _html_template_commentescaper: ['_html_template_attrescaper', '_html_template_htmlescaper'],
  _html_template_cssescaper: ['_html_template_attrescaper'],
  _html_template_jsregexpescaper: ['_html_template_attrescaper'],
  _html_template_jsstrescaper: ['_html_template_attrescaper'],
  _html_template_jstmpllitescaper: ['_html_template_attrescaper'],
  _html_template_urlescaper: ['_html_template_urlnormalizer'],
};

function appendEscapers(pipe: Pipe, escapers: string[]): void {
  if (escapers.length === 0) return;
  const commands = [...pipe.commands];
  const command = (name: string) => ({
    kind: 'command' as const,
    position: pipe.position,
    args: [{ kind: 'identifier' as const, position: pipe.position, name }],
  });
  const last = commands.at(-1)!;
  const first = last.args[0]!;
  if (first.kind === 'identifier' && PREDEFINED.has(first.name)) {
    if (commands.length === 1 && last.args.length > 1) {
      // `html a b` becomes `_eval_args_ a b | html`, so that `html` can be merged with ours.
      commands[0] = { ...last, args: [{ ...first, name: '_eval_args_' }, ...last.args.slice(1)] };
      commands.push(command(first.name));
    }
    const same = escapers.map((name) => normal(name) === normal(first.name));
    if (same.includes(true)) {
      same.forEach((equal, i) => {
        if (equal) escapers[i] = first.name;
      });
      commands.pop();
    }
  }
  const present = new Set(
    commands.flatMap(({ args: [head] }) => (head?.kind === 'identifier' ? [normal(head.name)] : [])),
  );
  for (const name of escapers) {
    if (present.has(normal(name))) continue;
    const before = commands.at(-1)?.args[0];
    if (before?.kind === 'identifier' && REDUNDANT[before.name]?.includes(name)) continue;
    commands.push(command(name));
  }
  pipe.commands = commands;
}
