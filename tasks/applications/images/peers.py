"""Peers of the joint energy: support vector machine, nearest neighbours and convolutional classifier."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch import nn

from tasks.applications.images.joint_energy import fit_network

NEIGHBOURS = 3


@dataclass(frozen=True)
class Peers:
    """Fitted peers: support vector machine, nearest neighbours and convolutional network."""

    svm: Any
    knn: Any
    cnn: nn.Module

    def classify(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return class probabilities ``(n, classes)`` of pictures ``(n, height · width)`` in [0, 1]."""
        with torch.no_grad():
            cnn = self.cnn(2 * torch.as_tensor(x) - 1).softmax(1).numpy()
        return {"svm": self.svm.predict_proba(x), "cnn": cnn, "knn": self.knn.predict_proba(x)}

    def energies(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return −log Σ_c exp f_c(x) of the network and the mean distance to the neighbours, ``(n,)``."""
        with torch.no_grad():
            cnn = -self.cnn(2 * torch.as_tensor(x) - 1).logsumexp(1).numpy()
        return {"cnn": cnn, "knn": self.knn.kneighbors(x)[0].mean(1)}


def fit_peers(x: np.ndarray, label: np.ndarray, size: tuple[int, int], seed: int) -> Peers:
    """Fit the peers. The network is that of the energy, with the same training but cross-entropy only."""
    # The usual gamma for digits is 0.001 for pixels in 0..16, which is 0.256 for pixels in [0, 1].
    svm = CalibratedClassifierCV(SVC(C=10, gamma=0.256), ensemble=False, cv=5).fit(x, label)
    knn = KNeighborsClassifier(NEIGHBOURS).fit(x, label)
    generator = torch.Generator().manual_seed(seed)
    return Peers(svm, knn, fit_network(torch.as_tensor(x), torch.as_tensor(label), size, None, generator))
