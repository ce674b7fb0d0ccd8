// Everything by keyboard.
import { BOB, answers, composer, expect, finished, grownTo, hydrated, lastAnswer, open, test } from '../support/world';

test('signing in, sending, stopping and editing need no pointer', async ({ visit: page }) => {
  await open(page, '/login');
  await expect(page.getByLabel('E-mail')).toBeFocused();
  await page.keyboard.type(BOB.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type(BOB.password);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/chat');
  await hydrated(page);

  await expect(composer(page)).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('combobox', { name: 'Model' })).toBeFocused();
  await page.keyboard.type('slow');
  await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue('slow');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.type('Line one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('line two');
  await page.keyboard.press('Enter');
  await expect(answers(page)).toHaveCount(1);
  await expect(page.getByRole('article', { name: 'You' })).toContainText('line two');
  await grownTo(page, 30);
  await page.keyboard.press('Escape');
  await expect(lastAnswer(page)).toContainText('Stopped');

  await expect(composer(page)).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('textbox', { name: 'Edit your message' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(composer(page)).toBeFocused();
});

test('the skip link, the palette and every control can be reached and seen', async ({ chat: page }) => {
  await open(page, '/chat');
  // The composer has the focus. From the top of the page, as after a click beside everything:
  await page.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
  });
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();

  const seen = new Set<string>();
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      const around = element.closest('form, .composer-box, .history-search');
      const marked = [element, ...(around ? [around] : [])].some((one) => {
        const look = getComputedStyle(one);
        return (look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) > 0) || look.boxShadow !== 'none';
      });
      return { name: element.getAttribute('aria-label') ?? element.innerText.trim().slice(0, 40), tag: element.tagName, marked, visible: box.width > 0 && style.visibility !== 'hidden' };
    });
    if (focus.tag === 'BODY') break;
    seen.add(focus.name);
    expect(focus, `focus is visible on ${focus.name}`).toMatchObject({ marked: true, visible: true });
  }
  for (const name of ['New chat', 'Message', 'Model', 'Send', 'Search conversations']) expect([...seen]).toContain(name);

  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog');
  await expect(palette).toBeVisible();
  await page.keyboard.type('sett');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/settings$/);
});

test('Enter on a code block button copies the code', async ({ chat: page, world }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: world.seam.url });
  world.scripted.text = 'Look:\n\n```rust\nfn main() {}\n```\n';
  await open(page, '/chat');
  await page.getByRole('combobox', { name: 'Model' }).selectOption('scripted');
  await composer(page).fill('code');
  await page.keyboard.press('Enter');
  await finished(page);
  await lastAnswer(page).getByRole('button', { name: /copy/i }).first().press('Enter');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('fn main() {}');
});
