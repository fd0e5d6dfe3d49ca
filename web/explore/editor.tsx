// The PromQL editor: highlighting, completion from the server's metric names and labels, errors while typing. Enter runs
// the query, Shift and Enter breaks the line.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'react';
import { PREFIX } from '../base/router.tsx';

const HIGHLIGHT = HighlightStyle.define([
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: tags.keyword, color: 'var(--code-keyword)', fontWeight: '600' },
  { tag: tags.function(tags.variableName), color: 'var(--code-function)' },
  { tag: tags.labelName, color: 'var(--code-label)' },
  { tag: tags.operator, color: 'var(--mantine-color-dimmed)' },
  { tag: tags.modifier, color: 'var(--code-keyword)' },
  { tag: tags.comment, color: 'var(--mantine-color-dimmed)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

const LOOK = EditorView.theme({
  '&': { fontSize: '13.500px', background: 'transparent', color: 'inherit' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { fontFamily: 'var(--mantine-font-family-monospace)', padding: '7px 4px', caretColor: 'currentColor' },
  '.cm-cursor': { borderLeftColor: 'currentColor' },
  '.cm-selectionBackground, &.cm-focused .cm-selectionBackground': {
    background: 'color-mix(in srgb, var(--mantine-color-anchor) 25%, transparent) !important',
  },
  '.cm-tooltip': {
    background: 'var(--surface)',
    border: '1px solid var(--line)',
    borderRadius: '8px',
    overflow: 'hidden',
    boxShadow: '0 8px 28px rgb(0 0 0 / 22%)',
  },
  '.cm-tooltip-autocomplete > ul': {
    fontFamily: 'var(--mantine-font-family-monospace)',
    fontSize: '12.500px',
    maxHeight: '320px',
  },
  '.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px', display: 'flex', gap: '8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { background: 'var(--info-soft)', color: 'inherit' },
  '.cm-completionDetail': { marginLeft: 'auto', color: 'var(--mantine-color-dimmed)', fontStyle: 'normal' },
  '.cm-completionIcon': { display: 'none' },
  '.cm-completionInfo': { padding: '8px 10px', maxWidth: '380px' },
  '.cm-placeholder': { color: 'var(--mantine-color-placeholder)' },
  '.cm-matchingBracket': { background: 'var(--info-soft) !important', outline: 'none' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
});

export default function PromqlEditor(props: {
  value: string;
  label: string;
  hint: string;
  onChange: (value: string) => void;
  onRun: (value: string) => void;
  /** Path of the Prometheus API below the prefix; '' is this server's. */
  source?: string;
  focus?: boolean;
}) {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const promql = new PromQLExtension();
    promql.activateCompletion(true).activateLinter(true);
    promql.setComplete({
      remote: { url: `${window.location.origin}${PREFIX}${props.source ?? ''}`, httpMethod: 'GET' },
      maxMetricsMetadata: 10_000,
    });
    const made = new EditorView({
      parent: element,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          history(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ activateOnTyping: true }),
          syntaxHighlighting(HIGHLIGHT),
          promql.asExtension(),
          LOOK,
          EditorView.lineWrapping,
          placeholder(latest.current.hint),
          // Escape closes the list of completions, not the dialog that the editor may stand in.
          EditorView.contentAttributes.of({
            'aria-label': latest.current.label,
            'data-mantine-stop-propagation': 'true',
          }),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...lintKeymap]),
          Prec.high(
            keymap.of([
              {
                key: 'Enter',
                run: (editor) => {
                  latest.current.onRun(editor.state.doc.toString());
                  return true;
                },
                shift: insertNewlineAndIndent,
              },
            ]),
          ),
          // Completion's own Enter must win over running the query.
          Prec.highest(keymap.of(completionKeymap.filter((binding) => binding.key === 'Enter'))),
          keymap.of(defaultKeymap),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    if (latest.current.focus) made.focus();
    return () => {
      view.current = null;
      made.destroy();
    };
  }, [props.source]);

  useEffect(() => {
    const made = view.current;
    if (!made) return;
    const current = made.state.doc.toString();
    if (current !== props.value) made.dispatch({ changes: { from: 0, to: current.length, insert: props.value } });
  }, [props.value]);

  return <div ref={holder} className="editor" />;
}
