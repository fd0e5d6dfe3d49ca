// Memory of a shard's head: blocks of fixed size classes with a free list each, cut from an arena that the host extends.
// The host keeps arena ahead of every call as far as it can tell, so that allocation does not fail inside one.

/** Asks the host for arena: it calls `slabExtend`, or throws when there is no memory left. */
// @ts-ignore: decorator
@external("env", "moreArena")
declare function moreArena(bytes: u32): void;

const CLASSES = 128;

let heads: usize = 0;
let next: usize = 0;
let end: usize = 0;
/** What was left of a region when the next one did not continue it; used up before the arena. */
let spare: usize = 0;
let spareEnd: usize = 0;
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
  while (to - from >= 16) {
    let index = classOf(<u32>(to - from));
    if (<usize>sizeOf(index) > to - from) index--;
    push(from, index);
    from += <usize>sizeOf(index);
  }
}

export function slabFree(): u32 {
  return <u32>(end - next);
}

// Classes 1..32: steps of 16 up to 512; 33..60: steps of 128 up to 4096; then two per power of two.
// @ts-ignore: decorator
@inline
function classOf(bytes: u32): u32 {
  if (bytes <= 512) return (bytes + 15) >> 4;
  if (bytes <= 4096) return 32 + ((bytes - 512 + 127) >> 7);
  const log = 31 - clz<u32>(bytes - 1);
  const half: u32 = (<u32>1 << log) + (<u32>1 << (log - 1));
  return 61 + ((log - 12) << 1) + (bytes <= half ? 0 : 1);
}

// @ts-ignore: decorator
@inline
function sizeOf(index: u32): u32 {
  if (index <= 32) return index << 4;
  if (index <= 60) return 512 + ((index - 32) << 7);
  const log = ((index - 61) >> 1) + 12;
  return (index - 61) & 1 ? <u32>1 << (log + 1) : (<u32>1 << log) + (<u32>1 << (log - 1));
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
}

export function slabAlloc(bytes: u32): usize {
  const index = classOf(bytes);
  const head = heads + (<usize>index << 2);
  const found = load<u32>(head);
  const size = sizeOf(index);
  slabUsed += size;
  if (found) {
    store<u32>(head, load<u32>(<usize>found));
    return <usize>found;
  }
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
