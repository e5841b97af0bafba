"""A small residual network: BatchNorm2d, shortcuts, global pooling, label smoothing, warm restarts of momentum."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import floats

__all__ = ["ResNet", "main"]


def conv3x3(in_planes, out_planes, stride=1):
    """Return a 3 x 3 convolution with padding and without bias."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two convolutions around which the input is carried."""

    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = conv3x3(in_planes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Identity()
        if stride != 1 or in_planes != planes * self.expansion:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, planes * self.expansion, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(planes * self.expansion),
            )

    def forward(self, x):
        identity = self.shortcut(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """A stem and three stages of blocks."""

    def __init__(self, num_classes=5, width=6):
        super().__init__()
        self.in_planes = width
        self.stem = nn.Sequential(conv3x3(3, width), nn.BatchNorm2d(width), nn.ReLU(True))
        self.layer1 = self._make_layer(width, 1, stride=1)
        self.layer2 = self._make_layer(2 * width, 1, stride=2)
        self.layer3 = self._make_layer(4 * width, 2, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(4 * width, num_classes)

        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, planes, blocks, stride):
        layers = []
        for s in [stride] + [1] * (blocks - 1):
            layers.append(BasicBlock(self.in_planes, planes, s))
            self.in_planes = planes * BasicBlock.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.stem(x))))
        x = self.avgpool(x)
        x = x.reshape(x.shape[0], -1)
        return self.fc(x)


def main(init=None):
    """Return the training losses, then the losses in eval mode, which use the running statistics."""
    net = ResNet()
    if init:
        init(net)
    print(net)
    print(sum(p.numel() for p in net.parameters()), len(list(net.children())), len(net.state_dict()))
    labels = torch.arange(20) % 5
    images = floats(3, 20, 3, 12, 12) + floats(4, 5, 3, 1, 1)[labels] + 0.5 * floats(5, 5, 3, 12, 12)[labels]
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 8))
    curve = []
    for step in range(24):
        if step == 12:
            for m in net.stem.parameters():
                m.requires_grad = False
        net.train()
        flipped = torch.flip(images, dims=[3]) if step % 2 else images
        shifted = torch.roll(F.pad(flipped, (1, 1, 1, 1)), shifts=(step % 3 - 1,), dims=(2,))[:, :, 1:-1, 1:-1]
        outputs = net(shifted)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        curve.append(loss.item())
    print([f"{lr:.4f}" for lr in schedule.get_last_lr()], net.stem[1].num_batches_tracked)

    net.eval()
    with torch.no_grad():
        outputs = net(images)
        curve += F.cross_entropy(outputs, labels, reduction="none").tolist()
        curve += net.stem[1].running_var.tolist() + net.layer3[0].bn1.running_mean.tolist()
        confusion = torch.zeros(5, 5, dtype=torch.int64)
        for t, p in zip(labels.view(-1), outputs.argmax(dim=1).view(-1)):  # noqa: B905
            confusion[t.long(), p.long()] += 1
    print(confusion)
    print(confusion.diag() / confusion.sum(1))
    return curve


if __name__ == "__main__":
    main()
