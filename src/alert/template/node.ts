// The tree of a parsed template, plain data that can be copied whole, and how its nodes are written in messages.

/** UTF-16 offset into the text of the node's source. */
type At = { readonly position: number };

/** Where a template's text came from, for messages. */
export type Source = { readonly name: string; readonly text: string };

export type Operand =
  | (At & { readonly kind: 'bool'; readonly value: boolean })
  | (At & { readonly kind: 'dot' })
  | (At & { readonly kind: 'nil' })
  | (At & { readonly kind: 'field'; readonly names: readonly string[] })
  | (At & { readonly kind: 'variable'; readonly names: readonly string[] })
  | (At & { readonly kind: 'chain'; readonly base: Operand; readonly names: readonly string[] })
  | (At & { readonly kind: 'identifier'; readonly name: string })
  | (At & { readonly kind: 'string'; readonly value: string; readonly quoted: string })
  | NumberNode
  | Pipe;

/** A constant may be an integer and a float at once: 1 serves for both, 1.0 too, 1.5 only as a float. */
export type NumberNode = At & {
  readonly kind: 'number';
  readonly text: string;
  readonly integer: bigint | undefined;
  readonly float: number | undefined;
  /** Whether a place of any type takes it as a float. */
  readonly looksFloat: boolean;
  readonly imaginary: boolean;
};

export type Command = At & { readonly kind: 'command'; readonly args: readonly Operand[] };

export type Pipe = At & {
  readonly kind: 'pipe';
  readonly declares: readonly string[];
  readonly assigns: boolean;
  commands: readonly Command[];
};

export type List = At & { readonly kind: 'list'; readonly nodes: readonly Node[] };

export type Branch = At & {
  readonly kind: 'if' | 'range' | 'with';
  readonly line: number;
  readonly pipe: Pipe;
  readonly list: List;
  readonly otherwise: List | undefined;
};

export type Action = At & { readonly kind: 'action'; readonly line: number; readonly pipe: Pipe };
export type Text = At & { readonly kind: 'text'; text: string };
export type Call = At & {
  readonly kind: 'template';
  readonly line: number;
  name: string;
  readonly pipe: Pipe | undefined;
};
export type Jump = At & { readonly kind: 'break' | 'continue'; readonly line: number };

export type Node = Action | Text | Call | Branch | Jump;

export type Tree = { readonly name: string; readonly source: Source; readonly root: List };

export function formatNode(node: Node | Operand | Command): string {
  switch (node.kind) {
    case 'bool':
      return String(node.value);
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'field':
      return node.names.map((name) => `.${name}`).join('');
    case 'variable':
      return node.names.join('.');
    case 'chain':
      return `${formatArgument(node.base)}${node.names.map((name) => `.${name}`).join('')}`;
    case 'identifier':
      return node.name;
    case 'string':
      return node.quoted;
    case 'number':
      return node.text;
    case 'command':
      return node.args.map(formatArgument).join(' ');
    case 'pipe': {
      const commands = node.commands.map(formatNode).join(' | ');
      return node.declares.length > 0
        ? `${node.declares.join(', ')} ${node.assigns ? '=' : ':='} ${commands}`
        : commands;
    }
    case 'action':
      return `{{${formatNode(node.pipe)}}}`;
    case 'text':
      return node.text;
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipe ? ` ${formatNode(node.pipe)}` : ''}}}`;
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`;
    case 'if':
    case 'range':
    case 'with': {
      const otherwise = node.otherwise ? `{{else}}${formatList(node.otherwise)}` : '';
      return `{{${node.kind} ${formatNode(node.pipe)}}}${formatList(node.list)}${otherwise}{{end}}`;
    }
  }
}

const formatArgument = (node: Operand): string => (node.kind === 'pipe' ? `(${formatNode(node)})` : formatNode(node));
const formatList = (list: List): string => list.nodes.map(formatNode).join('');

/** `name:line:column`, the column counting bytes of UTF-8 from 0 as Go does. */
export function describePosition(source: Source, position: number): string {
  const before = source.text.slice(0, position);
  const line = before.split('\n').length;
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
  return `${source.name}:${line}:${column}`;
}

/** Whether a template is nothing but space, in which case it never replaces another. */
export function isEmptyList(list: List): boolean {
  return list.nodes.every((node) => node.kind === 'text' && node.text.trim() === '');
}
