// Server and agent are two modes of one program, as in Prometheus: flags of one are refused in the other, with its words.

import { AGENT_FLAGS, SERVER_FLAGS } from './flags.ts';

const names = (flags: readonly string[]) => flags.map((name) => JSON.stringify(`--${name}`)).join(' ');

/** What is wrong with the flags given in a mode; undefined when nothing is. */
export function misplacedFlags(given: ReadonlySet<string>, mode: 'server' | 'agent'): string | undefined {
  const own = mode === 'agent' ? AGENT_FLAGS : SERVER_FLAGS;
  const wrong = [...given].filter((name) => !Object.hasOwn(own, name));
  if (wrong.length === 0) return undefined;
  return mode === 'agent'
    ? `The following flag(s) can not be used in agent mode: [${names(wrong)}]`
    : `The following flag(s) can only be used in agent mode: [${names(wrong)}]`;
}
