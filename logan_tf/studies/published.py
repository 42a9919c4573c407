"""The paper's numbers (Wu et al. 2019), to stand beside ours; never comparable."""

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
