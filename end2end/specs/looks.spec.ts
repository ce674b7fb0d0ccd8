// Every page, on every kind of screen: nothing hidden, nothing sideways, nothing that axe objects to.
import { mkdirSync } from 'node:fs';
import { accessible, fits } from '../support/accessible';
import { expect, finished, hydrated, open, send, test, watch } from '../support/world';

const PICTURES = 'test-results/pictures';
const SCREENS = [
  { name: 'phone-320', viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true },
  { name: 'phone-360', viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
  { name: 'desk', viewport: { width: 1280, height: 800 } },
  { name: 'wall', viewport: { width: 2560, height: 1300 } },
] as const;

test.beforeAll(() => mkdirSync(PICTURES, { recursive: true }));

for (const colorScheme of ['light', 'dark'] as const) {
  for (const { name, ...screen } of SCREENS) {
    test(`${name}, ${colorScheme}: pages fit and axe finds nothing`, async ({ world, browser, complaints }) => {
      complaints.expected.push(/status of 404/);
      const context = await world.member(browser, { ...screen, colorScheme });
      const page = await context.newPage();
      watch(page, complaints, world.seam.url);
      world.scripted.text = 'A short answer with `code` and a list:\n\n- one\n- two\n\n```sql\nselect 1;\n```\n';

      const look = async (what: string) => {
        await fits(page, what);
        await accessible(page, what);
        await page.screenshot({ path: `${PICTURES}/${what}-${name}-${colorScheme}.png` });
      };
      await open(page, '/chat');
      await look('empty');
      await send(page, 'What does it look like?', 'scripted');
      await finished(page);
      await look('conversation');
      await page.getByRole('button', { name: 'Rename or delete' }).click();
      await page.getByRole('button', { name: 'Delete this conversation' }).click();
      await expect(page.getByRole('dialog', { name: /^Delete/ })).toBeVisible();
      await look('question');
      await page.keyboard.press('Escape');
      await look('menu');
      await page.keyboard.press('Escape');
      if (screen.viewport.width < 700) {
        await page.getByRole('button', { name: 'History' }).click();
        await expect(page.getByRole('searchbox', { name: 'Search conversations' })).toBeVisible();
        await look('drawer');
      }
      await open(page, '/settings');
      await look('settings');
      await open(page, '/nowhere');
      await look('missing');
      await context.close();

      const nobody = await world.visitor(browser, { ...screen, colorScheme });
      const door = await nobody.newPage();
      watch(door, complaints, world.seam.url);
      await door.goto('/login');
      await hydrated(door);
      await fits(door, 'login');
      await accessible(door, 'login');
      await door.screenshot({ path: `${PICTURES}/login-${name}-${colorScheme}.png` });
      await nobody.close();
    });
  }
}

test('the chosen appearance is there at the first paint', async ({ chat: page }) => {
  await open(page, '/settings');
  await page.getByRole('button', { name: 'Dark' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const response = await page.goto('/chat');
  expect(await response!.text()).toContain('data-theme="dark"');
  await open(page, '/settings');
  await page.getByRole('button', { name: 'System' }).click();
  await expect(page.locator('html')).not.toHaveAttribute('data-theme', 'dark');
});

test('forced colours and reduced motion are respected', async ({ world, browser, complaints }) => {
  const context = await world.member(browser, { forcedColors: 'active', reducedMotion: 'reduce' });
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await open(page, '/chat');
  await page.screenshot({ path: `${PICTURES}/empty-forced-colors.png` });
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === 'running').length);
  expect(moving).toBe(0);
  await context.close();
});
