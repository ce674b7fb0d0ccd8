// The page about the management API: for everybody, on every kind of screen, also without scripts.
import { accessible, fits } from '../support/accessible';
import { expect, test, watch } from '../support/world';

const SCREENS = [
  { name: 'phone-320', viewport: { width: 320, height: 640 } },
  { name: 'desk', viewport: { width: 1280, height: 800 } },
] as const;

for (const colorScheme of ['light', 'dark'] as const) {
  for (const { name, viewport } of SCREENS) {
    test(`${name}, ${colorScheme}: the page fits and axe finds nothing`, async ({ world, browser, complaints }) => {
      const context = await world.visitor(browser, { viewport, colorScheme });
      const page = await context.newPage();
      watch(page, complaints, world.seam.url);
      await page.goto('/api/docs');
      await expect(page.getByRole('heading', { name: 'Management API' })).toBeVisible();
      await fits(page, 'api-docs');
      await accessible(page, 'api-docs');
      await context.close();
    });
  }
}

test('an operation is reached from the index, and its address leads there again', async ({ world, browser }) => {
  const context = await world.visitor(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('/api/docs');
  await page.getByRole('navigation', { name: 'Operations' }).getByRole('link', { name: 'Make a key' }).click();
  await expect(page).toHaveURL(/#post-keys$/);
  await expect(page.getByRole('heading', { name: 'Make a key' })).toBeInViewport();
  const article = page.locator('#post-keys');
  await expect(article.getByText('POST', { exact: true })).toBeVisible();
  await article.getByText('Fields of the answer').click();
  await expect(article.getByText('it is never shown again')).toBeVisible();
  await context.close();
});
