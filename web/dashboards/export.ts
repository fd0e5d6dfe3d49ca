// What leaves a dashboard: files and pictures.

export function downloadBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const downloadText = (name: string, text: string, type: string): void =>
  downloadBlob(name, new Blob([text], { type }));

/** Draws an element as it stands: styles inlined, canvases turned into pictures, all inside one SVG. */
export async function panelPicture(element: HTMLElement, name: string): Promise<void> {
  const { width, height } = element.getBoundingClientRect();
  const copy = element.cloneNode(true) as HTMLElement;
  const originals = element.querySelectorAll('canvas');
  copy.querySelectorAll('canvas').forEach((canvas, index) => {
    const original = originals[index]!;
    const image = document.createElement('img');
    image.src = original.toDataURL();
    image.style.cssText = `${canvas.style.cssText};width:${original.clientWidth}px;height:${original.clientHeight}px`;
    canvas.replaceWith(image);
  });
  for (const extra of copy.querySelectorAll('.no-print')) extra.remove();
  const css = [...document.styleSheets]
    .map((sheet) => [...sheet.cssRules].map((rule) => rule.cssText).join('\n'))
    .join('\n');
  const scheme = document.documentElement.getAttribute('data-mantine-color-scheme') ?? 'light';
  const root = document.createElement('div');
  root.setAttribute('data-mantine-color-scheme', scheme);
  const body = getComputedStyle(document.body);
  root.style.cssText = `width:${width}px;height:${height}px;background:${body.backgroundColor};color:${body.color};font:${body.font}`;
  for (const property of [
    '--surface',
    '--surface-2',
    '--line',
    '--mantine-color-dimmed',
    '--mantine-color-text',
    '--good',
    '--warn',
    '--bad',
    '--chart-axis',
  ])
    root.style.setProperty(property, getComputedStyle(document.documentElement).getPropertyValue(property));
  const style = document.createElement('style');
  style.textContent = css.replaceAll(':root', 'div');
  root.append(style, copy);
  const xml = new XMLSerializer().serializeToString(root);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><foreignObject width="100%" height="100%">${xml}</foreignObject></svg>`;
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const canvas = document.createElement('canvas');
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('cannot draw the picture: this browser gives no canvas');
  context.scale(devicePixelRatio, devicePixelRatio);
  context.drawImage(picture, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('cannot save the picture: the canvas is empty');
  downloadBlob(`${name.replace(/[^\w\u4e00-\u9fff-]+/g, '-')}.png`, blob);
}
