// Entry of the kernel that reads exposition pages: what src/collect/scrape calls in its worker's memory.

export { exactAddress, powersAddress, readNumber, numberEnd, numberValue } from './lib/float';
export { setTarget } from './lib/fresh';
export { inflate } from './lib/inflate';
export { arrange, enter, find, hash, isOrdered, keepExemplar, put, scan, stateAddress, unseen } from './lib/lines';
