"""Published numbers, to stand beside ours and never comparable.

The paper's are Wu et al. 2019, measured on TPU; those of stacked MNIST are as PacGAN
(Lin et al. 2018, Tables 2 and 3) quotes and measures them, with the steps of its public
code.
"""

Rows = tuple[dict[str, str], ...]


def _rows(on: str, names: tuple[str, ...], *rows: tuple[str, ...]) -> Rows:
    return tuple(dict(zip(("", *names), row, strict=True)) | {"on": on} for row in rows)


TABLE_1 = _rows(
    "ImageNet 128×128",
    ("fid", "is"),
    ("BigGAN-deep", "5.7 ± .3", "124.5 ± 2.0"),
    ("baseline", "4.92 ± .05", "126.6 ± 1.3"),
    ("LOGAN (GD)", "4.86 ± .09", "127.7 ± 3.5"),
    ("LOGAN (NGD)", "3.36 ± .14", "148.2 ± 3.1"),
)
TABLE_2 = _rows(
    "CIFAR-10",
    ("fid", "is"),
    ("SN-GAN", "29.3", "7.42 ± .08"),
    ("CS-GAN", "23.1 ± .5", "7.80 ± .05"),
    ("LOGAN (NGD)", "17.7 ± .4", "8.67 ± .05"),
)
TABLE_3 = _rows(
    "ImageNet 128×128",
    ("top_1", "top_5"),
    ("BigGAN-deep", "40.64 %", "64.44 %"),
    ("LOGAN (NGD)", "47.86 %", "71.97 %"),
)
TABLE_4 = _rows(
    "CIFAR-10", ("α", "β", "w_r", "c"), ("best setting", ".9", ".1", ".1", "80 %")
)
TABLE_5 = _rows(
    "ImageNet 128×128",
    ("α", "β", "w_r", "c"),
    ("best setting", ".9", "5", "300", "50 %"),
)
COLLAPSE = _rows(
    "ImageNet 128×128",
    ("collapses at step",),
    ("BigGAN-deep", "300,000"),
    ("LOGAN (NGD)", "600,000"),
)
_QUARTER = ("500,000 of 128", "Metz et al., D a fourth of G")
_HALF = ("500,000 of 128", "Metz et al., D half of G")
_DCGAN = ("100,000 of 64", "VEEGAN's DCGAN")
STACKED_MNIST = _rows(
    "stacked MNIST",
    ("modes", "reverse_kl", "steps", "networks"),
    *(
        (f"Unrolled GAN, K = {steps}", modes, "–", *networks)
        for networks, found in (
            (_QUARTER, ("31", "65", "236", "327")),
            (_HALF, ("628", "524", "732", "817")),
        )
        for steps, modes in zip((0, 1, 5, 10), found, strict=True)
    ),
    ("DCGAN", "99", "3.40", *_DCGAN),
    ("ALI", "16", "5.40", *_DCGAN),
    ("Unrolled GAN", "48.7", "4.32", *_DCGAN),
    ("VEEGAN", "150", "2.95", *_DCGAN),
    ("PacDCGAN2", "1,000", ".06", *_DCGAN),
)
