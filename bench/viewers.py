"""Simulated viewers of a live page, in a process of their own: `python -m bench.viewers URL RUN N SECONDS`.

Each speaks the browser's protocol: opens the page, then asks for every refresh the page's fragments plan.
They draw nothing, as the viewers' machines are not the trainer's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.typing import Origin, Subprotocol


async def _view(url: str, run: str, stop: float, count: dict[str, int]) -> None:
    address = url.replace("http", "ws") + "/_stcore/stream"
    query = f"run={run}"
    streamlit = [Subprotocol("streamlit")]
    async with websockets.connect(address, subprotocols=streamlit, max_size=None, origin=Origin(url)) as socket:
        opening = BackMsg()
        opening.rerun_script.query_string = query
        opening.rerun_script.page_name = "finetune"
        await socket.send(opening.SerializeToString())
        timers: dict[str, asyncio.Task[None]] = {}
        rests: dict[str, float] = {}

        async def tick(fragment: str) -> None:
            while time.time() < stop:
                await asyncio.sleep(rests[fragment])
                again = BackMsg()
                again.rerun_script.query_string = query
                again.rerun_script.page_name = "finetune"
                again.rerun_script.fragment_id = fragment
                again.rerun_script.is_auto_rerun = True
                await socket.send(again.SerializeToString())

        while time.time() < stop:
            try:
                raw = await asyncio.wait_for(socket.recv(), 0.5)
            except TimeoutError:
                continue
            message = ForwardMsg.FromString(raw)
            kind = message.WhichOneof("type")
            if kind == "auto_rerun":
                found = message.auto_rerun
                rests[found.fragment_id] = found.interval
                if found.fragment_id not in timers:
                    timers[found.fragment_id] = asyncio.create_task(tick(found.fragment_id))
            elif kind == "script_finished":
                count["refreshes"] += 1
        for timer in timers.values():
            timer.cancel()


async def _all(url: str, run: str, n: int, seconds: float) -> dict[str, int]:
    count = {"refreshes": 0}
    stop = time.time() + seconds
    await asyncio.gather(*(_view(url, run, stop, count) for _ in range(n)))
    return count


if __name__ == "__main__":
    address, run_id, viewers, duration = sys.argv[1:]
    print(json.dumps(asyncio.run(_all(address, run_id, int(viewers), float(duration)))))
