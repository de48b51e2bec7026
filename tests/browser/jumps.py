"""Layout shifts: how much of a page jumps while it loads, as browsers count it (0 is a page that stands still)."""

from __future__ import annotations

from tests.browser.browser import Browser

MOST = 0.05
MEASURE = """
const done = arguments[arguments.length - 1];
const jumps = [];
const take = (entries) => jumps.push(...entries.filter((each) => !each.hadRecentInput));
const watch = new PerformanceObserver((list) => take(list.getEntries()));
watch.observe({ type: "layout-shift", buffered: true });
const seen = () => {
  take(watch.takeRecords());
  const what = jumps.flatMap((each) => each.sources.map(({ node }) => node?.className ?? node?.textContent));
  done([jumps.reduce((sum, each) => sum + each.value, 0), what]);
};
// Two frames after the last font, all that it has moved is known.
document.fonts.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(seen))));
"""


def jumps(browser: Browser) -> list[str]:
    """What jumps on the page that has loaded; nothing where it is little."""
    browser.until(lambda: browser.script("return document.readyState === 'complete'"), "the whole page")
    amount, what = browser.driver.execute_async_script(MEASURE)
    return [f"jumps by {amount:.3f}: {what}"] if amount > MOST else []


def slow_and_new(browser: Browser) -> None:
    """A connection of 2 Mbit/s, and nothing of the pages' files there yet."""
    browser.cdp("Network.clearBrowserCache")
    speed = {"downloadThroughput": 250_000, "uploadThroughput": 250_000}
    browser.cdp("Network.emulateNetworkConditions", offline=False, latency=40, **speed)


def fast(browser: Browser) -> None:
    browser.cdp(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
    )
