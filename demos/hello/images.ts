// The image that the hello program stands in for: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

export const helloImages: readonly DemoImage[] = ['varka/demo-hello', 'quay.io/raphael_tholl/sample-app'].map(
  (image) => ({ image, module: new URL('./src/hello.ts', import.meta.url) }),
);
