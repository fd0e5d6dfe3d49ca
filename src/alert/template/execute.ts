// Runs a template's tree over data. Failures name the place and the expression as Go does:
// `template: name:line:column: executing "name" at <expression>: cause`.

import { errorText } from '#base/errors.ts';
import { BUILTINS, type FunctionTable, isAssignable } from './builtins.ts';
import {
  type Branch,
  type Call,
  type Command,
  describePosition,
  formatNode,
  type List,
  type Node,
  type NumberNode,
  type Operand,
  type Pipe,
  type Tree,
} from './node.ts';
import { TemplateError } from './parse.ts';
import { formatPlain } from './print.ts';
import { goQuote } from './quote.ts';
import { GoDuration } from './time.ts';
import {
  basicOf,
  type GoFunction,
  GoMap,
  GoObject,
  isFunction,
  isNil,
  isTrue,
  mapEntries,
  sliceItems,
  sortedKeys,
  structFields,
  typeName,
  type Value,
} from './value.ts';

/** What a missing key of a map gives: nothing at all, the zero of its element's type, or an error. */
export type MissingKey = 'invalid' | 'zero' | 'error';

export type Environment = {
  readonly trees: ReadonlyMap<string, Tree>;
  readonly functions: FunctionTable;
  readonly missingKey: MissingKey;
};

/** Thrown by a function that must stop the execution without being an error of the template. */
export abstract class Interruption extends Error {}

const MAX_DEPTH = 1000;
/** Rounds of loops in one execution, over all templates that it calls. */
const MAX_ROUNDS = 5_000_000;
/** Characters that one execution may write. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/** What is left of the limits of one execution. */
type Budget = { rounds: number; output: number };

/** No value comes from the pipeline's previous command. */
const NOTHING = Symbol('nothing');
type Final = Value | typeof NOTHING;

type Flow = 'next' | 'break' | 'continue';

export function execute(environment: Environment, name: string, data: Value): string {
  const tree = environment.trees.get(name);
  if (!tree) throw new TemplateError(`template: ${name}: ${goQuote(name)} is an incomplete or empty template`);
  const out: string[] = [];
  new Execution(environment, tree, data, out, 0, { rounds: MAX_ROUNDS, output: MAX_OUTPUT }).run();
  return out.join('');
}

type At = Node | Operand | Command;

class Execution {
  readonly #environment: Environment;
  readonly #tree: Tree;
  readonly #data: Value;
  readonly #out: string[];
  readonly #depth: number;
  readonly #budget: Budget;
  readonly #variables: { name: string; value: Value }[];
  #at: At | undefined;

  constructor(environment: Environment, tree: Tree, data: Value, out: string[], depth: number, budget: Budget) {
    this.#environment = environment;
    this.#tree = tree;
    this.#data = data;
    this.#out = out;
    this.#depth = depth;
    this.#budget = budget;
    this.#variables = [{ name: '$', value: data }];
  }

  run(): void {
    this.#list(this.#data, this.#tree.root);
  }

  #fail(reason: string): never {
    const { name, source } = this.#tree;
    if (!this.#at) throw new TemplateError(`template: ${name}: ${reason}`);
    const place = describePosition(source, this.#at.position);
    throw new TemplateError(`template: ${place}: executing ${goQuote(name)} at <${formatNode(this.#at)}>: ${reason}`);
  }

  // Nodes.

  #list(dot: Value, list: List): Flow {
    for (const node of list.nodes) {
      const flow = this.#node(dot, node);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  #node(dot: Value, node: Node): Flow {
    this.#at = node;
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return 'next';
      case 'action': {
        const value = this.#pipe(dot, node.pipe);
        if (node.pipe.declares.length === 0) {
          this.#at = node;
          if (isFunction(value)) this.#fail(`can't print ${formatNode(node)} of type ${typeName(value)}`);
          this.#write(isNil(value) ? '<no value>' : formatPlain(value));
        }
        return 'next';
      }
      case 'if':
      case 'with': {
        const mark = this.#variables.length;
        const value = this.#pipe(dot, node.pipe);
        let flow: Flow = 'next';
        if (isTrue(value)) flow = this.#list(node.kind === 'with' ? value : dot, node.list);
        else if (node.otherwise) flow = this.#list(dot, node.otherwise);
        this.#variables.length = mark;
        return flow;
      }
      case 'range':
        return this.#range(dot, node);
      case 'template':
        this.#call(dot, node);
        return 'next';
      case 'break':
      case 'continue':
        return node.kind;
    }
  }

  #write(text: string): void {
    this.#budget.output -= text.length;
    if (this.#budget.output < 0) this.#fail(`exceeded the limit of ${MAX_OUTPUT} characters`);
    this.#out.push(text);
  }

  #range(dot: Value, node: Branch): Flow {
    const outer = this.#variables.length;
    const value = this.#pipe(dot, node.pipe);
    const mark = this.#variables.length;
    const { declares, assigns } = node.pipe;
    const bind = (fromTop: number, name: string, bound: Value) => {
      if (assigns) this.#assign(name, bound);
      else this.#variables[mark - fromTop]!.value = bound;
    };
    let ran = false;
    let flow: Flow = 'next';
    const single = typeof basicOf(value) === 'bigint';
    if (single && declares.length > 1) {
      this.#fail(`can't use ${formatPlain(value)} to iterate over more than one variable`);
    }
    for (const [key, item] of this.#items(value)) {
      ran = true;
      if (--this.#budget.rounds < 0) this.#fail(`exceeded the limit of ${MAX_ROUNDS} rounds of loops`);
      if (declares.length > 0) bind(1, declares.at(-1)!, item);
      if (declares.length > 1) bind(2, declares[0]!, key);
      flow = this.#list(item, node.list);
      this.#variables.length = mark;
      if (flow === 'break') break;
    }
    flow = 'next';
    if (!ran && node.otherwise) flow = this.#list(dot, node.otherwise);
    this.#variables.length = outer;
    return flow;
  }

  *#items(value: Value): Iterable<[Value, Value]> {
    if (isNil(value)) return;
    const items = sliceItems(value);
    if (items) {
      for (let i = 0; i < items.length; i++) yield [BigInt(i), items[i]];
      return;
    }
    const entries = mapEntries(value);
    if (entries) {
      for (const key of sortedKeys(entries)) yield [key, entries.get(key)];
      return;
    }
    const basic = basicOf(value);
    if (typeof basic !== 'bigint') this.#fail(`range can't iterate over ${formatPlain(value)}`);
    for (let i = 0n; i < basic; i++) yield [i, i];
  }

  #call(dot: Value, node: Call): void {
    const tree = this.#environment.trees.get(node.name);
    if (!tree) this.#fail(`template ${goQuote(node.name)} not defined`);
    if (this.#depth >= MAX_DEPTH) this.#fail(`exceeded maximum template depth (${MAX_DEPTH})`);
    const data = node.pipe ? this.#pipe(dot, node.pipe) : undefined;
    new Execution(this.#environment, tree, data, this.#out, this.#depth + 1, this.#budget).run();
  }

  // Pipelines.

  #pipe(dot: Value, pipe: Pipe): Value {
    this.#at = pipe;
    let value: Final = NOTHING;
    for (const command of pipe.commands) value = this.#command(dot, command, value);
    for (const name of pipe.declares) {
      if (pipe.assigns) this.#assign(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  #assign(name: string, value: Value): void {
    const variable = this.#variables.findLast((v) => v.name === name);
    if (!variable) this.#fail(`undefined variable: ${name}`);
    variable.value = value;
  }

  #variable(name: string): Value {
    const variable = this.#variables.findLast((v) => v.name === name);
    return variable ? variable.value : this.#fail(`undefined variable: ${name}`);
  }

  #command(dot: Value, command: Command, final: Final): Value {
    const first = command.args[0]!;
    switch (first.kind) {
      case 'field':
        this.#at = first;
        return this.#fields(dot, dot, first, first.names, command.args, final);
      case 'chain':
        return this.#chain(dot, first, command.args, final);
      case 'identifier':
        return this.#function(dot, first, command, command.args, final);
      case 'pipe':
        this.#noArguments(command.args, final);
        return this.#pipe(dot, first);
      case 'variable':
        return this.#variableNode(dot, first, command.args, final);
    }
    this.#at = first;
    this.#noArguments(command.args, final);
    switch (first.kind) {
      case 'bool':
      case 'string':
        return first.value;
      case 'dot':
        return dot;
      case 'nil':
        return this.#fail('nil is not a command');
      case 'number':
        return this.#constant(first);
    }
  }

  #noArguments(args: readonly Operand[], final: Final): void {
    if (args.length > 1 || final !== NOTHING) {
      this.#fail(`can't give argument to non-function ${formatNode(args[0]!)}`);
    }
  }

  /** A constant where any type will do: its spelling decides. */
  #constant(node: NumberNode): Value {
    this.#at = node;
    if (node.imaginary) this.#fail(`complex constant ${node.text} is not supported`);
    if (node.looksFloat) return node.float;
    if (node.integer === undefined) return node.float;
    if (node.integer > 0x7fffffffffffffffn || node.integer < -0x8000000000000000n) {
      this.#fail(`${node.text} overflows int`);
    }
    return node.integer;
  }

  #variableNode(dot: Value, node: Operand & { kind: 'variable' }, args: readonly Operand[], final: Final): Value {
    this.#at = node;
    const value = this.#variable(node.names[0]!);
    if (node.names.length === 1) {
      this.#noArguments(args, final);
      return value;
    }
    return this.#fields(dot, value, node, node.names.slice(1), args, final);
  }

  #chain(dot: Value, node: Operand & { kind: 'chain' }, args: readonly Operand[], final: Final): Value {
    this.#at = node;
    if (node.base.kind === 'nil') this.#fail(`indirection through explicit nil in ${formatNode(node)}`);
    const base = this.#argument(dot, 'interface {}', node.base);
    return this.#fields(dot, base, node, node.names, args, final);
  }

  // Fields and methods.

  #fields(
    dot: Value,
    receiver: Value,
    node: Operand,
    names: readonly string[],
    args: readonly Operand[],
    final: Final,
  ): Value {
    let value = receiver;
    for (let i = 0; i < names.length - 1; i++) value = this.#field(dot, names[i]!, node, [], NOTHING, value);
    return this.#field(dot, names.at(-1)!, node, args, final, value);
  }

  #field(dot: Value, name: string, node: Operand, args: readonly Operand[], final: Final, receiver: Value): Value {
    if (isNil(receiver)) {
      if (this.#environment.missingKey === 'error') this.#fail(`nil data; no entry for key ${goQuote(name)}`);
      return undefined;
    }
    if (receiver instanceof GoObject) {
      const method = receiver.method(name);
      if (method) return this.#invoke(dot, method, node, name, args, final);
    }
    const hasArguments = args.length > 1 || final !== NOTHING;
    const fields = structFields(receiver);
    if (fields && Object.hasOwn(fields, name)) {
      if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`);
      return fields[name];
    }
    const entries = mapEntries(receiver);
    if (entries && (!(receiver instanceof GoMap) || receiver.keyType === 'string')) {
      if (hasArguments) this.#fail(`${name} is not a method but has arguments`);
      if (entries.has(name)) return entries.get(name);
      if (this.#environment.missingKey === 'error') this.#fail(`map has no entry for key ${goQuote(name)}`);
      return this.#environment.missingKey === 'zero' && receiver instanceof GoMap ? receiver.zero : undefined;
    }
    return this.#fail(`can't evaluate field ${name} in type ${typeName(receiver)}`);
  }

  // Functions.

  #function(dot: Value, node: Operand & { kind: 'identifier' }, at: At, args: readonly Operand[], final: Final): Value {
    this.#at = node;
    const { name } = node;
    const own = Object.hasOwn(this.#environment.functions, name) ? this.#environment.functions[name] : undefined;
    if (!own && (name === 'and' || name === 'or')) return this.#shortCircuit(dot, name, args, final);
    const fn = own ?? (Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined);
    if (!fn) this.#fail(`${goQuote(name)} is not a defined function`);
    return this.#invoke(dot, fn, at, name, args, final);
  }

  #shortCircuit(dot: Value, name: 'and' | 'or', args: readonly Operand[], final: Final): Value {
    const operands = args.slice(1);
    if (operands.length === 0 && final === NOTHING) {
      this.#fail(`wrong number of args for ${name}: want at least 1 got 0`);
    }
    let value: Value;
    for (const operand of operands) {
      value = this.#argument(dot, 'interface {}', operand);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final === NOTHING ? value : final;
  }

  #invoke(dot: Value, fn: GoFunction, at: At, name: string, args: readonly Operand[], final: Final): Value {
    const operands = args.slice(1);
    const count = operands.length + (final === NOTHING ? 0 : 1);
    const wanted = fn.params.length;
    if (fn.variadic) {
      if (count < wanted - 1) {
        this.#fail(`wrong number of args for ${name}: want at least ${wanted - 1} got ${operands.length}`);
      }
    } else if (count !== wanted) this.#fail(`wrong number of args for ${name}: want ${wanted} got ${count}`);
    const typeAt = (i: number) => fn.params[Math.min(i, wanted - 1)]!;
    const values = operands.map((operand, i) => this.#argument(dot, typeAt(i), operand));
    if (final !== NOTHING) values.push(this.#checked(final, typeAt(values.length)));
    try {
      return fn.call(...values);
    } catch (error) {
      if (error instanceof Interruption) throw error;
      this.#at = at;
      return this.#fail(`error calling ${name}: ${errorText(error)}`);
    }
  }

  #checked(value: Value, type: string): Value {
    if (isAssignable(value, type)) return value;
    if (isNil(value)) this.#fail(`invalid value; expected ${type}`);
    return this.#fail(`wrong type for value; expected ${type}; got ${typeName(value)}`);
  }

  #argument(dot: Value, type: string, node: Operand): Value {
    this.#at = node;
    switch (node.kind) {
      case 'dot':
        return this.#checked(dot, type);
      case 'nil':
        if (!isAssignable(null, type)) this.#fail(`cannot assign nil to ${type}`);
        return null;
      case 'field':
        return this.#checked(this.#fields(dot, dot, node, node.names, [node], NOTHING), type);
      case 'variable':
        return this.#checked(this.#variableNode(dot, node, [], NOTHING), type);
      case 'pipe':
        return this.#checked(this.#pipe(dot, node), type);
      case 'identifier':
        return this.#checked(this.#function(dot, node, node, [], NOTHING), type);
      case 'chain':
        return this.#checked(this.#chain(dot, node, [], NOTHING), type);
    }
    const literal = formatNode(node);
    switch (type) {
      case 'interface {}':
        return node.kind === 'number' ? this.#constant(node) : node.value;
      case 'bool':
        return node.kind === 'bool' ? node.value : this.#fail(`expected bool; found ${literal}`);
      case 'string':
        return node.kind === 'string' ? node.value : this.#fail(`expected string; found ${literal}`);
      case 'int':
        return node.kind === 'number' && node.integer !== undefined
          ? node.integer
          : this.#fail(`expected integer; found ${literal}`);
      case 'time.Duration':
        return node.kind === 'number' && node.integer !== undefined
          ? new GoDuration(node.integer)
          : this.#fail(`expected integer; found ${literal}`);
      case 'float64':
        return node.kind === 'number' && node.float !== undefined
          ? node.float
          : this.#fail(`expected float; found ${literal}`);
      default:
        return this.#fail(`can't handle ${literal} for arg of type ${type}`);
    }
  }
}
