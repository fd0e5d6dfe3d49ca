// All kinds of receivers, in the order in which upstream lists them; each has a file of its own.

import type { ReceiverKind } from './kind.ts';
import { webhook } from './webhook.ts';

export const RECEIVER_KINDS: readonly ReceiverKind[] = [webhook];
