"""What stands for the web server in `python -m bench kills`: takes one order, then polls as an open page does.

`python -m bench.kill_server ORDER.json` prints the run's id as soon as there is one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from core.errors import GraftError
from core.models import hubs
from core.runs import archive, kinds, manage, queue, submit
from core.spec import parse_spec

POLL_S = 1.0


def main() -> None:
    """Do as told, and poll until killed."""
    hubs.pass_to_libraries()
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if order["do"] == "submit":
        print(submit.submit(parse_spec(kinds.KINDS[order["kind"]].spec, order["spec"])).id, flush=True)
    elif order["do"] == "resume":
        print(manage.resume_run(order["run"]).id, flush=True)
    elif order["do"] == "archive":
        print("begun", flush=True)
        run, problems = archive.import_run(Path(order["path"]))
        print(run.id, *(problem.code for problem in problems), flush=True)
    else:
        print(order.get("run", "polling"), flush=True)
    while True:
        try:
            queue.pump()
        except GraftError as error:
            print(error, file=sys.stderr, flush=True)
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
