"""Writes the files beside it: `pip install h5py`, then `python hdf5.py FOLDER`."""

import sys

import h5py
import numpy as np

rows = np.arange(40 * 6, dtype="f4").reshape(40, 6) % 97
for version in ["earliest", "v110"]:
    with h5py.File(f"{sys.argv[1]}/{version}.hdf5", "w", libver=(version, "v110")) as file:
        file.create_dataset("train", data=rows, chunks=(7, 6), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("test", data=rows[:5].astype("f8"))
        file.create_dataset("bytes", data=rows.astype("u1"), chunks=(9, 4), compression="lzf")
        file.create_dataset("grown", data=rows.astype(">f4"), chunks=(7, 6), maxshape=(None, 6), compression="gzip")
        file.create_dataset("half", data=rows.astype("f2"), chunks=(50, 6), maxshape=(60, 6))
        file.create_dataset("cube", data=np.zeros((2, 2, 2), "f4"))
        file.create_dataset("words", data="none")
        file.create_dataset("empty", shape=(1 << 40, 1 << 20), dtype="f4", chunks=(1, 1 << 20))
        file.create_dataset("more/deep", data=rows)
