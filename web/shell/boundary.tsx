// Catches what a part of the page throws while drawing, says so in its place, and leaves the rest of the page working.

import { Component, type ReactNode } from 'react';
import { Failure } from './parts.tsx';

type Props = {
  readonly children: ReactNode /** A change of it (another page, another query) tries again. */;
  readonly about?: unknown;
};
type State = { readonly error: unknown; readonly about: unknown };

export class Boundary extends Component<Props, State> {
  override state: State = { error: undefined, about: this.props.about };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { error: error ?? new Error('unknown error') };
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.about === state.about ? null : { error: undefined, about: props.about };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <div style={{ padding: 16 }}>
        <Failure error={this.state.error} retry={() => this.setState({ error: undefined })} />
      </div>
    );
  }
}
