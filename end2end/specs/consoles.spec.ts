// What all consoles promise: an act says what was done and leads back to where it was done, also by keyboard; on a phone
// everything is in reach; who may not do something is told who may.
import type { Browser, Page } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { BOB, answers, composer, expect, grownTo, hydrated, open, send, signIn, stopButton, test, watch, type Complaints, type World } from '../support/world';

const OPERATOR = { email: 'operator@seam.test', password: 'operate this seam' };
const PHONES = [{ width: 390, height: 844 }, { width: 320, height: 640 }];

async function operator(world: World, browser: Browser, complaints: Complaints, path: string): Promise<Page> {
  const context = await world.visitor(browser);
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await page.goto(`/login?next=${path}`);
  await page.getByLabel('E-mail').fill(OPERATOR.email);
  await page.getByLabel('Password').fill(OPERATOR.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname === path);
  return page;
}

/** What was done, as the page that follows says it. */
const said = (page: Page) => page.locator('main .said');

test('after an act the list is as it was, says what was done, and the keyboard goes on there', async ({ chat: page }) => {
  await open(page, '/admin/members?q=bob&sort=-name');
  const row = page.getByRole('row', { name: /bob@acme\.test/ });
  await row.getByRole('combobox').selectOption('viewer');
  await row.getByRole('button', { name: 'Set' }).click();
  await expect(said(page)).toHaveText('bob@acme.test is now a viewer.');
  await expect(said(page)).toBeFocused();
  await expect(page).toHaveURL(/\/admin\/members\?q=bob&sort=-name$/);
  await accessible(page, 'what was done');

  await hydrated(page);
  await page.getByRole('searchbox').fill('acme');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=acme/);
  await expect(page.getByRole('searchbox')).toBeFocused();
  await page.getByRole('link', { name: 'Since' }).press('Enter');
  await page.waitForURL(/sort=created/);
  await expect(page.getByRole('link', { name: 'Since' })).toBeFocused();
  await expect(said(page)).toHaveCount(0);

  await page.goto('/admin/audit');
  await expect(page.getByRole('row').nth(1)).toContainText('role: member → viewer');
  await expect(page.getByRole('row').nth(1).getByRole('time')).toHaveAttribute('datetime', /^\d{4}-\d\d-\d\dT/);
});

test('a viewer is told who can let them write, and a stranger page keeps the rail', async ({ world, browser, complaints, chat: ada }) => {
  complaints.expected.push(/status of 404/);
  const context = await world.visitor(browser);
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await signIn(page, BOB);
  await expect(page.getByText(/You are a viewer in .*An admin of it can make you a member\./)).toBeVisible();
  await expect(composer(page)).toHaveCount(0);
  await accessible(page, 'the chat of a viewer');
  await page.goto('/nowhere');
  await expect(page.getByRole('navigation', { name: 'Places' })).toBeVisible();
  await context.close();

  await open(ada, '/admin/members?q=bob');
  await ada.getByRole('row', { name: /bob@acme\.test/ }).getByRole('combobox').selectOption('member');
  await ada.getByRole('row', { name: /bob@acme\.test/ }).getByRole('button', { name: 'Set' }).click();
  await expect(said(ada)).toHaveText('bob@acme.test is now a member.');
});

test('one’s own role is changed with a question, and the last admin stays', async ({ chat: page, complaints }) => {
  complaints.expected.push(/status of 409/);
  await open(page, '/admin/members');
  await page.getByRole('button', { name: 'Change your own role' }).click();
  const question = page.locator('.question:popover-open');
  await expect(question).toContainText('only another admin can make you one again');
  await question.getByLabel('Your role').selectOption('viewer');
  await accessible(page, 'the question about one’s own role');
  await question.getByRole('button', { name: 'Change', exact: true }).click();
  await expect(question.getByRole('alert')).toContainText('admin');
  for (const [width, colorScheme] of [[1440, 'light'], [390, 'dark']] as const) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `test-results/pictures/own-role-${width}-${colorScheme}.png` });
  }
  await question.getByRole('button', { name: 'Cancel' }).click();
});

test('what is refused in a question is said in it, and a question can be left', async ({ world, browser, complaints }) => {
  complaints.expected.push(/status of 409/);
  const page = await operator(world, browser, complaints, '/operator/users');
  await page.goto('/operator/users?q=operator');
  await page.getByRole('button', { name: 'Take operator’s rights' }).click();
  const question = page.locator('.question:popover-open');
  await expect(question).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(question.getByRole('textbox')).toBeFocused();
  await question.getByRole('textbox').fill(OPERATOR.email);
  await question.getByRole('button', { name: 'Take operator’s rights' }).click();
  await expect(question.getByRole('alert')).toContainText('The platform keeps one operator');
  await expect(question.getByRole('alert')).toBeInViewport();
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(question).toHaveCount(0);
  await page.context().close();
});

test('somebody is deleted by an operator who types the address', async ({ world, browser, complaints }) => {
  complaints.expected.push(/status of 4(09|22)/);
  world.seam.apply('[[user]]\nemail = "leaver@acme.test"\ntenant = "acme"\nrole = "viewer"\n');
  const page = await operator(world, browser, complaints, '/operator/users');
  // The last admin of a tenant stays, and who runs the platform is not offered.
  await page.goto('/operator/users?q=ada@acme.test');
  await page.getByRole('button', { name: 'Delete …' }).click();
  const question = page.locator('.question:popover-open');
  await question.getByRole('textbox').fill('ada@acme.test');
  await question.getByRole('button', { name: 'Delete' }).press('Enter');
  await expect(question.getByRole('alert')).toContainText('ada@acme.test is the last admin of acme');
  await page.goto(`/operator/users?q=${OPERATOR.email}`);
  await expect(page.getByRole('button', { name: 'Delete …' })).toHaveCount(0);

  await page.goto('/operator/users?q=leaver');
  await page.getByRole('button', { name: 'Delete …' }).press('Enter');
  await expect(question).toContainText('What they wrote stays their tenants’');
  await question.getByRole('textbox').fill('somebody@else.test');
  await question.getByRole('button', { name: 'Delete' }).press('Enter');
  await expect(question.getByText('type “leaver@acme.test” to confirm')).toBeVisible();
  await accessible(page, 'the question before somebody is deleted');
  await question.getByRole('textbox').fill('leaver@acme.test');
  await question.getByRole('button', { name: 'Delete' }).press('Enter');
  await expect(said(page)).toHaveText('leaver@acme.test was deleted.');
  await expect(page).toHaveURL(/q=leaver/);
  await page.goto('/operator/audit');
  await expect(page.getByRole('row').nth(1)).toContainText('user.delete');
  await page.context().close();
});

test('an operator without a tenant reaches their account, and is led to the tenants instead of a chat', async ({ world, browser, complaints }) => {
  const page = await operator(world, browser, complaints, '/operator/tenants');
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('heading', { name: 'Recent sign-ins' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Change password' })).toBeVisible();
  await page.goto('/chat');
  await expect(page).toHaveURL(/\/operator\/tenants$/);
  await page.context().close();
});

test('an answer of a tenant that is suspended meanwhile says so at once', async ({ chat: page, world, browser, complaints }) => {
  complaints.expected.push(/status of 403/);
  const olga = await operator(world, browser, complaints, '/operator/tenants');
  await open(page, '/chat');
  await send(page, 'Take your time', 'slow');
  await grownTo(page, 10);
  await olga.goto('/operator/tenants/acme');
  await olga.getByRole('button', { name: 'Suspend' }).click();
  const question = olga.locator('.question:popover-open');
  await question.getByLabel('Reason, for its people to read').fill('Moving house');
  await question.getByLabel('Type acme to confirm').fill('acme');
  await question.getByRole('button', { name: 'Suspend', exact: true }).click();
  await expect(stopButton(page)).toBeHidden({ timeout: 3_000 });
  await expect(answers(page).last()).toContainText('This workspace is suspended');
  await expect(answers(page).last()).toContainText('Moving house');
  await expect(said(olga)).toContainText('acme is suspended');
  // A page that is opened now says so in its middle, and offers nothing to write.
  await page.goto('/chat');
  await expect(page.getByRole('main').getByRole('heading', { name: 'This workspace is suspended' })).toBeVisible();
  await expect(composer(page)).toHaveCount(0);
  await olga.getByRole('button', { name: 'Resume' }).click();
  await expect(said(olga)).toHaveText('acme is open again.');
  await olga.context().close();
});

for (const viewport of PHONES) {
  test(`${viewport.width} px: every act, tab and entry is in reach without sideways scrolling`, async ({ chat: ada, world, browser, complaints }) => {
    const olga = await operator(world, browser, complaints, '/operator/tenants');
    for (const [page, paths] of [
      [ada, ['/admin/members', '/admin/keys', '/admin/models', '/admin/provider-keys', '/admin/sign-in', '/admin/audit']],
      [olga, ['/operator/tenants', '/operator/tenants/acme', '/operator/users', '/operator/models', '/operator/providers', '/operator/audit']],
    ] as const) {
      await page.setViewportSize(viewport);
      for (const path of paths) {
        await page.goto(path);
        await fits(page, path);
        const beyond = await page.evaluate(() => {
          const out = (element: Element) => {
            const box = element.getBoundingClientRect();
            return box.width > 0 && (box.left < 0 || box.right > innerWidth);
          };
          const shown = [...document.querySelectorAll('main :is(a, button, select, input, td)')].filter((one) => !one.closest('[popover]'));
          return shown.filter(out).map((one) => one.textContent);
        });
        expect(beyond, `${path} at ${viewport.width}`).toEqual([]);
        await expect(page.getByRole('navigation', { name: 'Console' }).locator('[aria-current]')).toBeInViewport({ ratio: 1 });
      }
    }
    await ada.goto('/api/docs');
    await expect(ada.getByRole('heading', { name: 'Management API' })).toBeInViewport();
    await expect(ada.getByRole('link', { name: 'Make a key' })).toHaveCount(1);
    await ada.getByText('All operations').click();
    await ada.getByRole('navigation', { name: 'Operations' }).getByRole('link', { name: 'Make a key' }).click();
    await expect(ada.getByRole('heading', { name: 'Make a key' })).toBeInViewport();
    await olga.context().close();
  });
}

test('buttons stand in line with the fields beside them', async ({ chat: page }) => {
  await page.goto('/admin/members');
  const field = await page.getByLabel('E-mail', { exact: true }).boundingBox();
  const button = await page.getByRole('button', { name: 'Make a link' }).boundingBox();
  expect(Math.abs((field?.y ?? 0) - (button?.y ?? 99))).toBeLessThan(1);
});
