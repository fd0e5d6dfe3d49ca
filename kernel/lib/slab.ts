// Memory of a shard's head: blocks of fixed size classes with a free list each, cut from an arena that the host extends.
// The host keeps arena ahead of every call as far as it can tell, so that allocation does not fail inside one.

/** Asks the host for arena: it calls `slabExtend`, or throws when there is no memory left. */
// @ts-ignore: decorator
@external("env", "moreArena")
declare function moreArena(bytes: u32): void;

const CLASSES: u32 = 288;

let heads: usize = 0;
let next: usize = 0;
let end: usize = 0;
/** What was left of a region when the next one did not continue it; used up before the arena. */
let spare: usize = 0;
let spareEnd: usize = 0;
/** Free blocks from LARGE on. */
let largeFree: u32 = 0;
/** Bytes of the blocks handed out and not freed. */
export let slabUsed: u64 = 0;

export function slabHeadBytes(): u32 {
  return CLASSES * 4;
}

export function slabInit(freeLists: usize): void {
  heads = freeLists;
  memory.fill(heads, 0, CLASSES * 4);
}

/** Gives the arena a region. If it does not continue the one before, what is left of that becomes the spare. */
export function slabExtend(address: usize, bytes: u32): void {
  if (address != end + 16 && address != end) {
    const isLarger = end - next > spareEnd - spare;
    if (isLarger) {
      scatter(spare, spareEnd);
      spare = next;
      spareEnd = end;
    } else scatter(next, end);
    next = address;
  }
  end = address + <usize>bytes;
}

/** Puts a stretch of memory into the free lists. */
function scatter(from: usize, to: usize): void {
  while (to - from >= 8) {
    let index = classOf(<u32>(to - from));
    if (<usize>sizeOf(index) > to - from) index--;
    push(from, index);
    from += <usize>sizeOf(index);
  }
}

export function slabFree(): u32 {
  return <u32>(end - next);
}

// Classes 1..64: steps of 8 up to 512; 65..120: steps of 64 up to 4096; then eight per power of two.
const SMALL: u32 = 64;
const MIDDLE: u32 = 120;
/** From here on a free block is cut up for small ones before the arena is. */
const LARGE: u32 = MIDDLE + 25; // more than 32 kB

// @ts-ignore: decorator
@inline
function classOf(bytes: u32): u32 {
  if (bytes <= 512) return (bytes + 7) >> 3;
  if (bytes <= 4096) return SMALL + ((bytes - 512 + 63) >> 6);
  const log = 31 - clz<u32>(bytes - 1);
  const step = log - 3;
  return MIDDLE + ((log - 12) << 3) + ((bytes - (<u32>1 << log) + (<u32>1 << step) - 1) >> step);
}

// @ts-ignore: decorator
@inline
function sizeOf(index: u32): u32 {
  if (index <= SMALL) return index << 3;
  if (index <= MIDDLE) return 512 + ((index - SMALL) << 6);
  const log = ((index - MIDDLE - 1) >> 3) + 12;
  const eighths = ((index - MIDDLE - 1) & 7) + 1;
  return (<u32>1 << log) + (eighths << (log - 3));
}

/** What a block for `bytes` really holds. */
export function slabRoom(bytes: u32): u32 {
  return sizeOf(classOf(bytes));
}

// @ts-ignore: decorator
@inline
function push(address: usize, index: u32): void {
  const head = heads + (<usize>index << 2);
  store<u32>(address, load<u32>(head));
  store<u32>(head, <u32>address);
  if (index >= LARGE) largeFree++;
}

/** Makes the largest free block the spare; what was left of that goes to the free lists. */
function cutLarge(): void {
  for (let index: u32 = CLASSES - 1; index >= LARGE; index--) {
    const head = heads + (<usize>index << 2);
    const found = <usize>load<u32>(head);
    if (!found) continue;
    store<u32>(head, load<u32>(found));
    largeFree--;
    scatter(spare, spareEnd);
    spare = found;
    spareEnd = found + <usize>sizeOf(index);
    return;
  }
}

export function slabAlloc(bytes: u32): usize {
  const index = classOf(bytes);
  const head = heads + (<usize>index << 2);
  const found = load<u32>(head);
  const size = sizeOf(index);
  slabUsed += size;
  if (found) {
    store<u32>(head, load<u32>(<usize>found));
    if (index >= LARGE) largeFree--;
    return <usize>found;
  }
  if (largeFree && index <= MIDDLE && spare + <usize>size > spareEnd) cutLarge();
  if (spare + <usize>size <= spareEnd) {
    const address = spare;
    spare += <usize>size;
    return address;
  }
  if (next + <usize>size > end) moreArena(size);
  const address = next;
  next += <usize>size;
  return address;
}

export function slabRelease(address: usize, bytes: u32): void {
  const index = classOf(bytes);
  slabUsed -= sizeOf(index);
  push(address, index);
}
