// Results of unit tests for programs that collect them: JUnit's XML.

import type { CaseResult } from './run.ts';

export type FileResult = {
  readonly file: string;
  readonly cases: readonly CaseResult[];
  /** Why the file could not be run. */
  readonly error?: string;
};

const xml = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;' })[char]!);

export function junitXml(results: readonly FileResult[], timestamp: string): string {
  const lines = ['<testsuites>'];
  for (const { file, cases, error } of results) {
    const failures = cases.filter((c) => c.failures.length > 0).length;
    const errors = error === undefined ? 0 : 1;
    lines.push(
      `  <testsuite name="${xml(file)}" tests="${cases.length}" failures="${failures}" errors="${errors}" timestamp="${timestamp}">`,
    );
    for (const { name, failures: found } of cases) {
      if (found.length === 0) lines.push(`    <testcase name="${xml(name)}"></testcase>`);
      else {
        lines.push(`    <testcase name="${xml(name)}">`);
        for (const failure of found) lines.push(`      <failure>${xml(failure)}</failure>`);
        lines.push('    </testcase>');
      }
    }
    if (error !== undefined) lines.push(`    <testcase name="abort"><error>${xml(error)}</error></testcase>`);
    lines.push('  </testsuite>');
  }
  return `${lines.join('\n')}\n</testsuites>\n`;
}
