"""One contender in a process of its own: `python -m bench.contenders NAME JOB`, JOB and result as JSON.

All train the same network on the same image folders with the same batch, optimizer (AdamW) and highest rate,
without random augmentation. The others are written as their own tutorials write them, with a constant rate;
Graft runs with its own defaults, so its rate warms up and falls.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PROCESS_BEGAN = time.perf_counter()


def main() -> None:
    name, job = sys.argv[1], json.loads(sys.argv[2])
    result = CONTENDERS[name](job)
    print("RESULT " + json.dumps(result))


# -- what the others share ---------------------------------------------------------------------------------


def _network(job: dict[str, Any]) -> Any:
    """timm's EfficientNet-Lite0 with the package's ImageNet weights and a new classifier, as timm makes it."""
    import timm
    import torch

    from core.models.catalog import get_model
    from core.models.weight_files import find_weights

    torch.manual_seed(0)
    net: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    path = find_weights(get_model("bundled/efficientnet_lite0"))
    assert path is not None, "the package with the weights is not installed"
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), tensors.values(), strict=True)))
    net.reset_classifier(job["classes"])
    if job["method"] == "head":
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        net.get_classifier().requires_grad_(True)
    return net


def _folder(job: dict[str, Any], split: str) -> Any:
    from torchvision import datasets, transforms

    size = job["size"]
    transform = transforms.Compose(
        [
            transforms.Resize(round(size * 256 / 224), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    return datasets.ImageFolder(str(Path(job["folder"]) / split), transform)


def _accuracy(net: Any, job: dict[str, Any]) -> float:
    import torch

    loader = torch.utils.data.DataLoader(_folder(job, "test"), batch_size=64, num_workers=2)
    net.eval()
    right = total = 0
    with torch.inference_mode():
        for images, labels in loader:
            right += int((net(images).argmax(1) == labels).sum())
            total += len(labels)
    return right / total


class Watch:
    """The moments between steps: the first ones warm up, the rest are the result."""

    def __init__(self, steps: int | None) -> None:
        self.moments: list[float] = []
        self.limit = None if steps is None else steps + 2

    def tick(self) -> bool:
        """Note a finished step; True when enough were seen."""
        self.moments.append(time.perf_counter())
        return self.limit is not None and len(self.moments) > self.limit

    def result(self, **more: Any) -> dict[str, Any]:
        gaps = [b - a for a, b in zip(self.moments[1:], self.moments[2:], strict=False)]
        start = self.moments[0] - _PROCESS_BEGAN if self.moments else None
        return {"step_s": gaps, "start_s": start, "total_s": self.moments[-1] - self.moments[0], **more}


# -- the contenders ----------------------------------------------------------------------------------------


def tutorial(job: dict[str, Any]) -> dict[str, Any]:
    """The loop of the transfer-learning tutorials: PIL per item, DataLoader with 2 workers, fp32, NCHW."""
    import torch

    net = _network(job)
    loader = torch.utils.data.DataLoader(_folder(job, "train"), batch_size=job["batch"], shuffle=True, num_workers=2)
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=job["lr"], weight_decay=0.01)
    criterion = torch.nn.CrossEntropyLoss()
    watch = Watch(job["steps"])
    for _ in range(job["epochs"]):
        net.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            if watch.tick():
                return watch.result()
    return watch.result(accuracy=_accuracy(net, job))


def trainer(job: dict[str, Any]) -> dict[str, Any]:
    """The Hugging Face Trainer as its image-classification example uses it: transforms per item, defaults."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    net = _network(job)

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, pixel_values: Any, labels: Any = None) -> Any:
            logits = self.net(pixel_values)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    watch = Watch(job["steps"])

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if watch.tick():
                control.should_training_stop = True

    def collate(items: list[Any]) -> dict[str, Any]:
        return {"pixel_values": torch.stack([x for x, _ in items]), "labels": torch.tensor([y for _, y in items])}

    arguments = TrainingArguments(
        output_dir=job["scratch"],
        per_device_train_batch_size=job["batch"],
        num_train_epochs=job["epochs"],
        learning_rate=job["lr"],
        weight_decay=0.01,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    Trainer(
        model=Wrapped(), args=arguments, train_dataset=_folder(job, "train"), data_collator=collate, callbacks=[Stop()]
    ).train()
    return watch.result(**({} if job["steps"] else {"accuracy": _accuracy(net, job)}))


def lightning(job: dict[str, Any]) -> dict[str, Any]:
    """Lightning as its introduction writes it, with the tutorial's DataLoader."""
    import warnings

    import lightning as pl
    import torch

    warnings.filterwarnings("ignore")
    net = _network(job)
    watch = Watch(job["steps"])

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def training_step(self, batch: Any, index: int) -> Any:
            images, labels = batch
            return torch.nn.functional.cross_entropy(self.net(images), labels)

        def on_train_batch_end(self, *_: Any) -> None:
            if watch.tick():
                self.trainer.should_stop = True

        def configure_optimizers(self) -> Any:
            learning = [p for p in self.net.parameters() if p.requires_grad]
            return torch.optim.AdamW(learning, lr=job["lr"], weight_decay=0.01)

    loader = torch.utils.data.DataLoader(_folder(job, "train"), batch_size=job["batch"], shuffle=True, num_workers=2)
    # One step more than is timed: Lightning ends an early stop only after the batch.
    limit = {"max_steps": watch.limit + 1} if watch.limit else {"max_epochs": job["epochs"]}
    fit = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=job["scratch"], **limit,
    )  # fmt: skip
    fit.fit(Module(), loader)
    return watch.result(**({} if job["steps"] else {"accuracy": _accuracy(net, job)}))


def graft(job: dict[str, Any]) -> dict[str, Any]:
    """Graft's own run, as its worker does it, on a cold cache: nothing of it is extrapolated when frozen."""
    from core.hardware import keep_freed_memory

    keep_freed_memory()
    from core.finetune.run import finetune
    from core.finetune.spec import FinetuneSpec

    watch = Watch(None)
    reporter = Watching(watch)
    spec = FinetuneSpec.model_validate(
        {
            "model": {"id": "bundled/efficientnet_lite0"},
            "data": {"id": f"path:{job['folder']}"},
            "method": job["method"],
            "last_blocks": job.get("last_blocks", 2),
            "epochs": job["epochs"],
            "batch_size": job["batch"],
            "image_size": job["size"],
            "lr": job["lr"],
            "train_size": job.get("train_size"),
        }
    )
    began = time.perf_counter()
    summary = finetune(spec, Path(job["scratch"]), reporter, resume=False)
    phases = summary["phases"]
    working = ("autotune", "compile", "features", "fit", "train", "validate")
    return watch.result(
        accuracy=summary["test"]["accuracy"],
        work_s=sum(phases.get(name, 0.0) for name in working),
        wall_s=time.perf_counter() - began,
        phases=phases,
        engine=summary["engine"],
        images_per_s=summary["images_per_s"],
        step_seconds=reporter.step_s,
    )


class Watching:
    """A reporter that notes every step's time."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.step_s: list[float] = []
        self.batch = 0

    def phase(self, code: str, **values: object) -> None: ...

    def progress(self, done: float, total: float) -> None: ...

    def log(self, text: str) -> None:
        print(text, file=sys.stderr)

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        if "train__images_per_s" in values:
            self.watch.tick()
            self.step_s.append(1 / values["train__images_per_s"])  # seconds a picture

    def should_stop(self) -> bool:
        return False


CONTENDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "tutorial": tutorial,
    "trainer": trainer,
    "lightning": lightning,
    "graft": graft,
}

if __name__ == "__main__":
    main()
