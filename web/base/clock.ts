// The moment a page speaks of: it stands still until a refresh, so that all parts of a page show the same time.

import { useEffect, useRef, useState } from 'react';

/** Now; moves every `everyMs` (0: never) while the page is visible, and when `key` changes. */
export function useNow(everyMs: number, key?: unknown): number {
  const [now, setNow] = useState(() => Date.now());
  const seen = useRef(key);
  useEffect(() => {
    if (seen.current === key) return;
    seen.current = key;
    setNow(Date.now());
  }, [key]);
  useEffect(() => {
    if (everyMs <= 0) return;
    const timer = setInterval(
      () => {
        if (document.visibilityState === 'visible') setNow(Date.now());
      },
      Math.max(1000, everyMs),
    );
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
