"""Classify ten noisy patterns: Dataset, DataLoader, cross-entropy, SGD with momentum, train and test loops."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

device = "cuda" if torch.cuda.is_available() else "cpu"


class Patterns(Dataset):
    """Ten prototypes of 64 numbers, each sample one of them with noise; items are (tensor, int)."""

    def __init__(self, count, seed, transform=None):
        rng = np.random.RandomState(seed)
        prototypes = np.random.RandomState(99).standard_normal((10, 64))
        self.labels = rng.randint(0, 10, count)
        self.rows = (prototypes[self.labels] + 1.5 * rng.standard_normal((count, 64))).astype(np.float32)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        row = torch.from_numpy(self.rows[idx])
        if self.transform:
            row = self.transform(row)
        return row, int(self.labels[idx])


class SeededSampler(Sampler):
    """A new random order every epoch, drawn by NumPy."""

    def __init__(self, data_source, seed=0):
        self.data_source = data_source
        self.rng = np.random.RandomState(seed)

    def __iter__(self):
        return iter(self.rng.permutation(len(self.data_source)).tolist())

    def __len__(self):
        return len(self.data_source)


class NeuralNetwork(nn.Module):
    """64 -> 48 -> 32 -> 10."""

    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(8 * 8, 48),
            nn.ReLU(),
            nn.Dropout(p=0.0),
            nn.Linear(48, 32),
            nn.Tanh(),
            nn.Linear(32, 10),
        )

    def forward(self, x):
        x = self.flatten(x)
        logits = self.linear_relu_stack(x)
        return logits


def train(dataloader, model, loss_fn, optimizer):
    """Run one epoch and return the loss of every batch."""
    size = len(dataloader.dataset)
    model.train()
    losses = []
    for batch, (X, y) in enumerate(dataloader):
        X, y = X.to(device), y.to(device)
        pred = model(X)
        loss = loss_fn(pred, y)

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

        losses.append(loss.item())
        if batch % 5 == 0:
            print(f"loss: {loss.item():>7f}  [{(batch + 1) * len(X):>5d}/{size:>5d}]")
    return losses


def test(dataloader, model, loss_fn):
    """Return the mean loss and the accuracy."""
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in dataloader:
            X, y = X.to(device), y.to(device)
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= len(dataloader)
    correct /= len(dataloader.dataset)
    print(f"Test Error: \n Accuracy: {(100 * correct):>0.1f}%, Avg loss: {test_loss:>8f} \n")
    return test_loss, correct


def main(init=None):
    """Train for three epochs; return every batch's loss, then test losses and accuracies."""
    data = Patterns(400, seed=1, transform=lambda row: (row - row.mean()) / row.std())
    training_data = Subset(data, range(320))
    test_data = Subset(data, range(320, 400))
    train_dataloader = DataLoader(
        training_data, batch_size=32, sampler=SeededSampler(training_data), num_workers=0, drop_last=True
    )
    test_dataloader = DataLoader(test_data, batch_size=64, shuffle=False)
    X, y = next(iter(test_dataloader))
    print(f"Shape of X [N, D]: {X.shape}")
    print(f"Shape of y: {y.shape} {y.dtype}")
    print(len(train_dataloader), len(test_dataloader), y[:10])

    model = NeuralNetwork().to(device)
    print(model)
    if init:
        init(model)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=2e-2, momentum=0.9, weight_decay=1e-4)
    print(optimizer)
    curve = []
    for t in range(3):
        print(f"Epoch {t + 1}\n-------------------------------")
        curve += train(train_dataloader, model, loss_fn, optimizer)
        curve += test(test_dataloader, model, loss_fn)
    print("training mode:", model.training)
    return curve


if __name__ == "__main__":
    main()
