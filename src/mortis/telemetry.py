"""What the systems around a model tell of themselves over time, as sources hand it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mortis.profiles import Floats


@dataclass(frozen=True, slots=True, eq=False)
class MetricSeries:
    """One metric over time: `seconds` (epoch, UTC, ascending, each once) and `values` (NaN where nothing was measured).

    `labels` tell series of one name apart (service, instance ...), as far as the source states them.

    Raises ValueError where the two differ in length, or the times don't ascend.
    """

    name: str
    seconds: npt.NDArray[np.int64]
    values: Floats
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seconds.shape != self.values.shape or self.seconds.ndim != 1:
            raise ValueError(f"{self.name}: {self.seconds.shape} times for {self.values.shape} values")
        if len(self.seconds) > 1 and not bool(np.all(np.diff(self.seconds) > 0)):
            raise ValueError(f"{self.name}: the times must ascend")

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def title(self) -> str:
        """The name with its labels, as Prometheus writes it.

        >>> MetricSeries("up", np.array([0, 60]), np.array([1.0, 1.0]), {"job": "api"}).title
        'up{job="api"}'
        """
        inner = ",".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()))
        return f"{self.name}{{{inner}}}" if inner else self.name
