"""SN-GAN 32×32 and LOGAN's step in PyTorch, for comparison; imports nothing of ours.

The networks and the algorithm are those of `logan_tf.networks.sngan` and
`logan_tf.game`: σ = ‖W v‖ of each of the discriminator's kernels, v advanced once per
update; batch statistics; hinge; two Adam optimizers; NGD. As one writes PyTorch: one
graph, `torch.autograd.grad` with `create_graph` through the latent step, the native
batch normalization (whose double backward is exact). Nothing is logged or averaged.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — its customary name

Tensors = list[torch.Tensor]


class Settings:
    """The numbers of the game, as the file that the other side writes has them."""

    alpha, damping, fraction, regularizer_weight = 0.9, 0.1, 0.8, 0.1
    learning_rate, beta_1, beta_2, optimizer_epsilon = 2e-4, 0.5, 0.999, 1e-7
    batch_epsilon, spectral_epsilon = 1e-3, 1e-6
    slope = float(np.float32(0.1))  # as the other side's kernel rounds it


class Generator:
    """Latents [n, dim] → images [n, 3, size, size].

    Args:
      weights: dense kernel [in, out] and bias; for each map transposed kernel
        [h, w, out, in], bias, scale, offset; last kernel [h, w, in, out] and bias.
    """

    def __init__(self, weights: Sequence[np.ndarray], layout: torch.memory_format):
        self.layout = layout
        self.parameters = [_parameter(weights[0].T, layout), _parameter(weights[1])]
        for kernel, *rest in _groups(weights[2:-2], 4):
            kernel = _parameter(kernel.transpose(3, 2, 0, 1), layout)
            self.parameters += [kernel, *map(_parameter, rest)]
        last = _parameter(weights[-2].transpose(3, 2, 0, 1), layout)
        self.parameters += [last, _parameter(weights[-1])]

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        kernel, bias, *rest = self.parameters
        x = F.linear(latents, kernel, bias)
        channels = rest[0].shape[0]
        side = round((x.shape[1] / channels) ** 0.5)
        x = x.view(-1, side, side, channels).permute(0, 3, 1, 2)
        x = x.contiguous(memory_format=self.layout)
        for kernel, bias, scale, offset in _groups(rest[:-2], 4):
            x = F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)
            x = F.batch_norm(
                x, None, None, scale, offset, True, eps=Settings.batch_epsilon
            )
            x = F.relu(x)
        return torch.tanh(F.conv2d(x, *rest[-2:], padding=1))

    def numpy_layout(self, tensors: Tensors) -> list[np.ndarray]:
        """Arrays like the parameters, in the layout that the weights came in."""
        arrays = [tensor.detach().numpy() for tensor in tensors]
        out = [arrays[0].T, arrays[1]]
        for kernel, *rest in _groups(arrays[2:-2], 4):
            out += [kernel.transpose(2, 3, 1, 0), *rest]
        return [*out, arrays[-2].transpose(2, 3, 1, 0), arrays[-1]]


class Discriminator:
    """Images [n, 3, size, size] → scores [n].

    Args:
      weights: kernels [h, w, in, out] and biases in turn; last a dense pair.
      vectors: v of each kernel.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        vectors: Sequence[np.ndarray],
        layout: torch.memory_format,
    ):
        self.parameters = []
        for kernel, bias in _groups(weights[:-2], 2):
            kernel = _parameter(kernel.transpose(3, 2, 0, 1), layout)
            self.parameters += [kernel, _parameter(bias)]
        self.parameters += [_parameter(weights[-2].T), _parameter(weights[-1])]
        self.vectors = [torch.from_numpy(np.ascontiguousarray(v)) for v in vectors]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        x = images
        *pairs, last = zip(
            map(self._normalized, range(len(self.vectors))),
            self.parameters[1::2],
            strict=True,
        )
        for index, (kernel, bias) in enumerate(pairs):
            stride = 2 if index % 2 else 1
            x = F.conv2d(x, kernel, bias, stride=stride, padding=1)
            x = F.leaky_relu(x, Settings.slope)
        return F.linear(x.permute(0, 2, 3, 1).flatten(1), *last).squeeze(1)

    @torch.no_grad()
    def advance(self) -> None:
        """One power iteration of every v."""
        for kernel, vector in zip(self.parameters[::2], self.vectors, strict=True):
            matrix = kernel.flatten(1)
            left = vector @ matrix
            right = matrix @ (left / left.norm())
            vector.copy_(right / right.norm())

    def numpy_layout(self, tensors: Tensors) -> list[np.ndarray]:
        """Arrays like the parameters, in the layout that the weights came in."""
        arrays = [tensor.detach().numpy() for tensor in tensors]
        out: list[np.ndarray] = []
        for kernel, bias in _groups(arrays[:-2], 2):
            out += [kernel.transpose(2, 3, 1, 0), bias]
        return [*out, arrays[-2].T, arrays[-1]]

    def _normalized(self, index: int) -> torch.Tensor:
        kernel, vector = self.parameters[2 * index], self.vectors[index]
        sigma = (vector @ kernel.flatten(1)).norm() + Settings.spectral_epsilon
        return kernel / sigma


class TorchGame:
    """Both players, their optimizers and one fixed batch.

    Args:
      arrays: of the file that the other side writes.
      layout: `torch.channels_last` or `torch.contiguous_format`.
      compiled: whether `torch.compile` gets the networks.
    """

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        layout: torch.memory_format,
        compiled: bool = False,
    ) -> None:
        self.generator = Generator(_listed(arrays, "generator"), layout)
        self.discriminator = Discriminator(
            _listed(arrays, "discriminator"), _listed(arrays, "vector"), layout
        )
        images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
        self.images = images.contiguous(memory_format=layout)
        self.latents = torch.from_numpy(arrays["latents"])
        self._generate: Callable = self.generator.__call__
        self._judge: Callable = self.discriminator.__call__
        if compiled:
            self._generate = torch.compile(self._generate)
            self._judge = torch.compile(self._judge)
        self._optimizers = [
            torch.optim.Adam(
                player.parameters,
                lr=Settings.learning_rate,
                betas=(Settings.beta_1, Settings.beta_2),
                eps=Settings.optimizer_epsilon,
                fused=True,
            )
            for player in (self.discriminator, self.generator)
        ]

    def gradients(self, variant: str) -> tuple[Tensors, Tensors]:
        """The gradients of both players, those of the discriminator first."""
        latents, regularizer = self._moved(variant)
        fake = self._judge(self._generate(latents))
        real = self._judge(self.images)
        of_discriminator = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        return (
            _gradient(of_discriminator + regularizer, self.discriminator.parameters),
            _gradient(regularizer - fake.mean(), self.generator.parameters),
        )

    def step(self, variant: str) -> None:
        """One simultaneous update."""
        self.discriminator.advance()
        gradients = self.gradients(variant)
        players = (self.discriminator.parameters, self.generator.parameters)
        for parameters, found, optimizer in zip(
            players, gradients, self._optimizers, strict=True
        ):
            for parameter, gradient in zip(parameters, found, strict=True):
                parameter.grad = gradient
            optimizer.step()

    def _moved(self, variant: str) -> tuple[torch.Tensor, torch.Tensor | float]:
        if variant == "baseline":
            return self.latents, 0.0
        moving = round(Settings.fraction * self.latents.shape[1])
        start = self.latents[:, :moving].clone().requires_grad_()
        fixed = self.latents[:, moving:]
        score = self._judge(self._generate(torch.cat([start, fixed], 1))).sum()
        second_order = variant == "ngd"
        (slope,) = torch.autograd.grad(score, start, create_graph=second_order)
        squares = slope.square().sum(1, keepdim=True)
        delta = Settings.alpha * slope / (Settings.damping + squares)
        moved = torch.clamp(start.detach() + delta, -1, 1)
        regularizer = Settings.regularizer_weight * delta.square().sum(1).mean()
        return torch.cat([moved, fixed], 1), regularizer


def _gradient(loss: torch.Tensor, parameters: Tensors) -> Tensors:
    return list(torch.autograd.grad(loss, parameters, retain_graph=True))


def _parameter(
    array: np.ndarray, layout: torch.memory_format = torch.contiguous_format
) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if tensor.ndim == 4:
        tensor = tensor.contiguous(memory_format=layout)
    return tensor.requires_grad_()


def _groups(items: Sequence, size: int) -> Iterator[Sequence]:
    return (items[i : i + size] for i in range(0, len(items), size))


def _listed(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    count = sum(key.startswith(f"{name}/") for key in arrays)
    return [arrays[f"{name}/{index}"] for index in range(count)]
