"""LeNet-5 on 28 x 28 drawings of bars and rings: Conv2d, MaxPool2d, Adam, StepLR."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class LeNet(nn.Module):
    """Two convolutions with pooling, three linear layers."""

    def __init__(self, num_classes=10):
        super(LeNet, self).__init__()  # noqa: UP008 - as scripts of that time write it
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, stride=1, padding=2)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.log_softmax(self.fc3(x), dim=1)


def drawings(count, seed=0):
    """Return images (count, 1, 28, 28) and labels: bars of one of four slopes, or rings of six radii."""
    rng = np.random.RandomState(seed)
    labels = rng.randint(0, 10, count)
    row, column = np.mgrid[:28, :28] - 13.5
    dy, dx = rng.uniform(-4, 4, (2, count, 1, 1))
    y, x = row - dy, column - dx
    angle = (labels * np.pi / 4).reshape(-1, 1, 1)
    bars = np.abs(x * np.cos(angle) + y * np.sin(angle)) < 2
    rings = np.abs(np.hypot(x, y) - 1.5 * (labels.reshape(-1, 1, 1) - 3)) < 1
    images = np.where(labels.reshape(-1, 1, 1) < 4, bars, rings) + 0.2 * rng.standard_normal((count, 28, 28))
    return torch.from_numpy(images[:, None].astype(np.float32)), torch.from_numpy(labels.astype(np.int64))


def main(init=None):
    """Train for two epochs of twelve batches; return losses, learning rates and the accuracy."""
    torch.manual_seed(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = drawings(12 * 16 + 50)
    images = (images - images.mean()) / images.std()
    train_loader = DataLoader(TensorDataset(images[:-50], labels[:-50]), batch_size=16, pin_memory=False)

    model = LeNet().to(device)
    if init:
        init(model)
    print(model)
    print("parameters:", sum(p.numel() for p in model.parameters() if p.requires_grad))
    for name, parameter in model.named_parameters():
        print(f"{name:12} {tuple(parameter.shape)}")

    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    curve = []
    for _epoch in range(2):
        model.train()
        for data, target in train_loader:
            data, target = data.to(device, non_blocking=True), target.to(device)
            optimizer.zero_grad(set_to_none=True)
            output = model(data)
            loss = F.nll_loss(output, target)
            loss.backward()
            optimizer.step()
            curve.append(loss.item())
        scheduler.step()
        curve.append(scheduler.get_last_lr()[0])

    model.eval()
    with torch.no_grad():
        output = model(images[-50:])
        pred = output.max(1, keepdim=True)[1]
        correct = pred.eq(labels[-50:].view_as(pred)).sum().item()
        _, predicted = torch.max(output.data, 1)
    assert correct == (predicted == labels[-50:]).sum().item()
    print(f"{correct}/50")
    return [*curve, F.nll_loss(output, labels[-50:], reduction="sum").item() / 50]


if __name__ == "__main__":
    main()
