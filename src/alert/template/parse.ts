// Tokens to trees. A text gives one tree under its own name and one for each template it defines. Messages are Go's:
// `template: name:line: what`.

import { type Token, type TokenKind, tokenize } from './lex.ts';
import {
  type Action,
  type Branch,
  type Call,
  type Command,
  formatNode,
  isEmptyList,
  type List,
  type Node,
  type NumberNode,
  type Operand,
  type Pipe,
  type Source,
  type Tree,
} from './node.ts';
import { goQuote, unquote } from './quote.ts';

/** A text that is no template, or a template that fails on its data. The message is complete. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

type End = { readonly kind: 'end' } | { readonly kind: 'else'; readonly line: number };

export function parseTemplate(source: Source, hasFunction: (name: string) => boolean): ReadonlyMap<string, Tree> {
  return new Parser(source, hasFunction).parse();
}

class Parser {
  readonly #source: Source;
  readonly #tokens: Token[];
  readonly #hasFunction: (name: string) => boolean;
  readonly #trees = new Map<string, Tree>();
  #next = 0;
  #furthest = 0;
  #variables = ['$'];
  #rangeDepth = 0;
  #actionLine = 0;

  constructor(source: Source, hasFunction: (name: string) => boolean) {
    this.#source = source;
    this.#tokens = tokenize(source.text);
    this.#hasFunction = hasFunction;
  }

  parse(): ReadonlyMap<string, Tree> {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'eof') {
      if (this.#peek().kind === 'leftDelim' && this.#isDefine()) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (node.kind === 'end' || node.kind === 'else') this.#fail(`unexpected {{${node.kind}}}`);
      nodes.push(node as Node);
    }
    this.#add(this.#source.name, { kind: 'list', position: 0, nodes });
    return this.#trees;
  }

  // Tokens.

  #peek(): Token {
    this.#furthest = Math.max(this.#furthest, this.#next);
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#next++;
  }

  #takeNonSpace(): Token {
    this.#skipSpace();
    return this.#take();
  }

  #peekNonSpace(): Token {
    this.#skipSpace();
    return this.#peek();
  }

  #expect(kind: TokenKind, context: string): Token {
    const token = this.#takeNonSpace();
    if (token.kind !== kind) this.#unexpected(token, context);
    return token;
  }

  #fail(reason: string): never {
    const line = this.#tokens[Math.min(this.#furthest, this.#tokens.length - 1)]!.line;
    throw new TemplateError(`template: ${this.#source.name}:${line}: ${reason}`);
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind === 'error') {
      let extra = '';
      if (this.#actionLine !== 0 && this.#actionLine !== token.line) {
        extra = ` in action started at ${this.#source.name}:${this.#actionLine}`;
        if (token.text.endsWith(' action')) extra = extra.slice(' in action'.length);
      }
      this.#fail(`${token.text}${extra}`);
    }
    this.#fail(`unexpected ${describeToken(token)} in ${context}`);
  }

  // Structure.

  #isDefine(): boolean {
    let at = this.#next + 1;
    while (this.#tokens[at]?.kind === 'space') at++;
    return this.#tokens[at]?.kind === 'keyword' && this.#tokens[at]!.text === 'define';
  }

  #definition(): void {
    const context = 'define clause';
    this.#take();
    this.#takeNonSpace();
    const name = this.#templateName(this.#takeNonSpace(), context);
    this.#expect('rightDelim', context);
    const { list, end } = this.#withOwnVariables(() => this.#itemList());
    if (end.kind !== 'end') this.#fail(`unexpected {{else}} in ${context}`);
    this.#add(name, list);
  }

  /** A defined template sees no variables and no loop of the text around it. */
  #withOwnVariables<T>(body: () => T): T {
    const [variables, depth] = [this.#variables, this.#rangeDepth];
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const result = body();
    this.#variables = variables;
    this.#rangeDepth = depth;
    return result;
  }

  #add(name: string, root: List): void {
    const before = this.#trees.get(name);
    if (before && !isEmptyList(before.root)) {
      if (!isEmptyList(root)) this.#fail(`template: multiple definition of template ${goQuote(name)}`);
      return;
    }
    this.#trees.set(name, { name, source: this.#source, root });
  }

  #itemList(): { list: List; end: End } {
    const position = this.#peekNonSpace().position;
    const nodes: Node[] = [];
    while (this.#peekNonSpace().kind !== 'eof') {
      const node = this.#textOrAction();
      if (node.kind === 'end' || node.kind === 'else') return { list: { kind: 'list', position, nodes }, end: node };
      nodes.push(node);
    }
    return this.#fail('unexpected EOF');
  }

  #textOrAction(): Node | End {
    const token = this.#takeNonSpace();
    if (token.kind === 'text') return { kind: 'text', position: token.position, text: token.text };
    if (token.kind !== 'leftDelim') this.#unexpected(token, 'input');
    this.#actionLine = token.line;
    const node = this.#action();
    this.#actionLine = 0;
    return node;
  }

  #action(): Node | End {
    const token = this.#peekNonSpace();
    if (token.kind === 'keyword') {
      this.#take();
      switch (token.text) {
        case 'block':
          return this.#block();
        case 'break':
        case 'continue':
          return this.#jump(token.text, token);
        case 'else':
          return this.#else();
        case 'end':
          this.#expect('rightDelim', 'end');
          return { kind: 'end' };
        case 'if':
        case 'range':
        case 'with':
          return this.#branch(token.text);
        case 'template':
          return this.#call();
        default:
          this.#unexpected(token, 'command');
      }
    }
    const pipe = this.#pipeline('command', 'rightDelim');
    return { kind: 'action', position: token.position, line: token.line, pipe } satisfies Action;
  }

  #jump(kind: 'break' | 'continue', token: Token): Node {
    const next = this.#takeNonSpace();
    if (next.kind !== 'rightDelim') this.#unexpected(next, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { kind, position: token.position, line: token.line };
  }

  #branch(kind: 'if' | 'range' | 'with'): Branch {
    const variables = this.#variables.length;
    const pipe = this.#pipeline(kind, 'rightDelim');
    const line = this.#tokens[this.#next - 1]!.line;
    if (kind === 'range') this.#rangeDepth++;
    const { list, end } = this.#itemList();
    if (kind === 'range') this.#rangeDepth--;
    let otherwise: List | undefined;
    if (end.kind === 'else') {
      const next = this.#peek();
      if (next.kind === 'keyword' && next.text === kind && kind !== 'range') {
        // `else if` and `else with` nest a branch whose `end` closes both.
        this.#take();
        otherwise = { kind: 'list', position: next.position, nodes: [this.#branch(kind)] };
      } else {
        const rest = this.#itemList();
        if (rest.end.kind !== 'end') this.#fail('expected end; found {{else}}');
        otherwise = rest.list;
      }
    }
    this.#variables.length = variables;
    return { kind, position: pipe.position, line, pipe, list, otherwise };
  }

  #else(): End {
    const next = this.#peekNonSpace();
    if (next.kind === 'keyword' && (next.text === 'if' || next.text === 'with'))
      return { kind: 'else', line: next.line };
    return { kind: 'else', line: this.#expect('rightDelim', 'else').line };
  }

  #block(): Call {
    const context = 'block clause';
    const token = this.#takeNonSpace();
    const name = this.#templateName(token, context);
    const pipe = this.#pipeline(context, 'rightDelim');
    const { list, end } = this.#withOwnVariables(() => this.#itemList());
    if (end.kind !== 'end') this.#fail(`unexpected {{else}} in ${context}`);
    this.#add(name, list);
    return { kind: 'template', position: token.position, line: token.line, name, pipe };
  }

  #call(): Call {
    const context = 'template clause';
    const token = this.#takeNonSpace();
    const name = this.#templateName(token, context);
    let pipe: Pipe | undefined;
    if (this.#peekNonSpace().kind === 'rightDelim') this.#take();
    else pipe = this.#pipeline(context, 'rightDelim');
    return { kind: 'template', position: token.position, line: token.line, name, pipe };
  }

  #templateName(token: Token, context: string): string {
    if (token.kind !== 'string' && token.kind !== 'rawString') this.#unexpected(token, context);
    return unquote(token.text) ?? this.#fail('invalid syntax');
  }

  // Pipelines.

  #pipeline(context: string, end: TokenKind): Pipe {
    const position = this.#peekNonSpace().position;
    const { declares, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#peekNonSpace();
      if (token.kind === end) {
        this.#take();
        this.#checkPipeline(commands, context);
        return { kind: 'pipe', position, declares, assigns, commands };
      }
      if (!STARTS_OPERAND.has(token.kind)) {
        this.#take();
        this.#unexpected(token, context);
      }
      commands.push(this.#command());
    }
  }

  #declarations(context: string): { declares: string[]; assigns: boolean } {
    const declares: string[] = [];
    for (;;) {
      const token = this.#peekNonSpace();
      if (token.kind !== 'variable') break;
      const start = this.#next;
      this.#take();
      const next = this.#peekNonSpace();
      if (next.kind === 'assign' || next.kind === 'declare') {
        this.#take();
        declares.push(token.text);
        this.#variables.push(token.text);
        return { declares, assigns: next.kind === 'assign' };
      }
      if (next.kind === 'char' && next.text === ',') {
        this.#take();
        declares.push(token.text);
        this.#variables.push(token.text);
        if (context === 'range' && declares.length < 2) {
          const after = this.#peekNonSpace().kind;
          if (after === 'variable' || after === 'rightDelim' || after === 'rightParen') continue;
          this.#fail('range can only initialize variables');
        }
        this.#fail(`too many declarations in ${context}`);
      }
      this.#next = start;
      break;
    }
    return { declares, assigns: false };
  }

  #checkPipeline(commands: readonly Command[], context: string): void {
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    commands.slice(1).forEach((command, i) => {
      if (['bool', 'dot', 'nil', 'number', 'string'].includes(command.args[0]!.kind)) {
        this.#fail(`non executable command in pipeline stage ${i + 2}`);
      }
    });
  }

  #command(): Command {
    const position = this.#peekNonSpace().position;
    const args: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const operand = this.#operand();
      if (operand) args.push(operand);
      const token = this.#peek();
      if (token.kind === 'space') continue;
      if (token.kind === 'rightDelim' || token.kind === 'rightParen') break;
      this.#take();
      if (token.kind === 'pipe') break;
      this.#unexpected(token, 'operand');
    }
    if (args.length === 0) this.#fail('empty command');
    return { kind: 'command', position, args };
  }

  #operand(): Operand | undefined {
    const term = this.#term();
    if (!term) return undefined;
    const first = this.#peek();
    if (first.kind !== 'field') return term;
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1));
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { ...term, position: first.position, names: [...term.names, ...names] };
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${goQuote(formatNode(term))}`);
      default:
        return { kind: 'chain', position: first.position, base: term, names };
    }
  }

  #term(): Operand | undefined {
    const token = this.#peekNonSpace();
    const position = token.position;
    switch (token.kind) {
      case 'identifier':
        this.#take();
        if (!this.#hasFunction(token.text)) this.#fail(`function ${goQuote(token.text)} not defined`);
        return { kind: 'identifier', position, name: token.text };
      case 'dot':
        this.#take();
        return { kind: 'dot', position };
      case 'nil':
        this.#take();
        return { kind: 'nil', position };
      case 'variable':
        this.#take();
        if (!this.#variables.includes(token.text)) this.#fail(`undefined variable ${goQuote(token.text)}`);
        return { kind: 'variable', position, names: [token.text] };
      case 'field':
        this.#take();
        return { kind: 'field', position, names: [token.text.slice(1)] };
      case 'bool':
        this.#take();
        return { kind: 'bool', position, value: token.text === 'true' };
      case 'charConstant':
      case 'number':
        this.#take();
        return this.#number(token);
      case 'string':
      case 'rawString': {
        this.#take();
        const value = unquote(token.text) ?? this.#fail('invalid syntax');
        return { kind: 'string', position, value, quoted: token.text };
      }
      case 'leftParen':
        this.#take();
        return this.#pipeline('parenthesized pipeline', 'rightParen');
      default:
        return undefined;
    }
  }

  #number(token: Token): NumberNode {
    const { text, position } = token;
    const base = { kind: 'number', text, position, imaginary: false } as const;
    if (text[0] === "'") {
      const rune = unquote(text);
      if (rune === undefined || [...rune].length !== 1) this.#fail(`malformed character constant: ${text}`);
      const code = rune.codePointAt(0)!;
      return { ...base, integer: BigInt(code), float: code, looksFloat: false };
    }
    if (text.endsWith('i')) {
      const float = parseFloatConstant(text.slice(0, -1).replace(/(?<=[0-9.])[+-].*$/, ''));
      if (float === undefined) this.#fail(`illegal number syntax: ${goQuote(text)}`);
      return { ...base, integer: undefined, float, looksFloat: false, imaginary: true };
    }
    const hex = /^[+-]?0[xX]/.test(text);
    const looksFloat = hex ? /[pP]/.test(text) : /[.eE]/.test(text);
    let integer = parseIntegerConstant(text);
    const float = integer === undefined ? parseFloatConstant(text) : Number(integer);
    if (float === undefined || (integer === undefined && !looksFloat)) {
      this.#fail(`illegal number syntax: ${goQuote(text)}`);
    }
    if (integer === undefined && Number.isInteger(float) && Math.abs(float) <= 2 ** 63) integer = BigInt(float);
    return { ...base, integer, float, looksFloat };
  }
}

const STARTS_OPERAND: ReadonlySet<TokenKind> = new Set([
  'bool',
  'charConstant',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'rawString',
  'string',
  'variable',
  'leftParen',
]);

function parseIntegerConstant(text: string): bigint | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)$/.exec(text);
  if (!match || /__|_$/.test(text)) return undefined;
  let digits = match[2]!.replaceAll('_', '');
  if (/^0[0-9]+$/.test(digits)) {
    if (/[89]/.test(digits)) return undefined;
    digits = `0o${digits.slice(1)}`;
  }
  const value = BigInt(digits);
  return match[1] === '-' ? -value : value;
}

function parseFloatConstant(text: string): number | undefined {
  const clean = text.replaceAll('_', '');
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?[0-9]+)$/.exec(clean);
  if (hex) {
    const digits = hex[2]! + hex[3]!;
    if (digits === '') return undefined;
    const value = Number.parseInt(digits, 16) * 2 ** (Number(hex[4]) - 4 * hex[3]!.length);
    return hex[1] === '-' ? -value : value;
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(clean)) return undefined;
  const value = Number(clean);
  return Number.isFinite(value) ? value : undefined;
}

function describeToken(token: Token): string {
  if (token.kind === 'eof') return 'EOF';
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil') return `<${token.text}>`;
  const runes = [...token.text];
  return runes.length > 10 ? `${goQuote(runes.slice(0, 10).join(''))}...` : goQuote(token.text);
}
