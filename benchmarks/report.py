"""The cost of a run's report: seconds to rebuild it, its size, and when Chromium first paints it.

    python -m benchmarks.report [--run-dir output] [RUN]

Prints one table. Imports are counted apart: at the end of a run they are done.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path

import benchmarks.common  # noqa: F401 (TensorFlow's log)

PAINTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", help="a run id; the latest if left out")
    parser.add_argument("--run-dir", default="output")
    arguments = parser.parse_args()
    from pipeline.config import Config
    from pipeline.runs import report, run_dir

    folder = run_dir.find_run(Config(run_dir=arguments.run_dir), arguments.run)
    config = report.of_run(Config(run_dir=arguments.run_dir), folder)
    began = time.monotonic()
    import tensorflow  # noqa: F401
    import tensorflow_model_analysis  # noqa: F401

    imported, used = time.monotonic(), time.process_time()
    page = report.make(config, folder.name)
    ended, used = time.monotonic(), time.process_time() - used
    print(f"imports, which a run has made already  {imported - began:8.2f} s")
    print(f"the report and the index               {ended - imported:8.2f} s, {used:.2f} CPU s")
    print(f"size                                   {page.stat().st_size / 1e6:8.2f} MB")
    print(f"first contentful paint in Chromium     {first_paint(page):8.0f} ms (median of {PAINTS})")


def first_paint(page: Path) -> float:
    """Milliseconds from the navigation to the first contentful paint, the median of PAINTS loads."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.wait import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    script = "return performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)"
    try:
        times = []
        for _ in range(PAINTS):
            browser.get("about:blank")
            browser.get(page.resolve().as_uri())
            times.append(WebDriverWait(browser, 20).until(lambda one: one.execute_script(script))[0])
        return statistics.median(times)
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
