// The table by which the store's kernel tells the query's where the chunks of many series lie.

/** An entry of the table. */
export const S_BYTES: usize = 16;
export const S_CHUNKS: usize = 0; // u32, address of the series' first chunk in the list of chunks
export const S_COUNT: usize = 4; // u32, chunks
export const S_PLAIN: usize = 8; // u32, not 0: more than floats in order, so the series is to be read by itself
export const S_GROUP: usize = 12; // u32

/** In the list of chunks: address of the data, length, encoding, 0, as u32. */
export const CHUNK_BYTES: usize = 16;
