// Segment files hold a block's chunks: header, then chunk after chunk as length, encoding, data, checksum. A reference is
// the segment's number (from 0) times 2^32 plus the offset in the file.

export const CHUNKS_FOLDER = 'chunks';
export const SEGMENT_MAGIC = 0x85bd40dd;
export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 8;
export const MAX_SEGMENT_BYTES = 512 * 1024 * 1024;
export const SEGMENT_SCALE = 2 ** 32;

export const segmentName = (number: number): string => String(number + 1).padStart(6, '0');
