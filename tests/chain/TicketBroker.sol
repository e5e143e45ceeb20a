// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Emits the events of Livepeer's TicketBroker, for whatever ticket it is told of. Nothing is paid or checked.
contract TicketBroker {
    struct Ticket {
        address sender;
        address recipient;
        uint256 amount;
        uint256 faceValue;
        uint256 winProb;
        bytes auxData;
    }

    event WinningTicketTransfer(address indexed sender, address indexed recipient, uint256 amount);
    event WinningTicketRedeemed(
        address indexed sender,
        address indexed recipient,
        uint256 faceValue,
        uint256 winProb,
        uint256 senderNonce,
        uint256 recipientRand,
        bytes auxData
    );
    event DepositFunded(address indexed sender, uint256 amount);

    struct Sender {
        uint256 deposit;
        uint256 withdrawRound;
    }

    struct ReserveInfo {
        uint256 fundsRemaining;
        uint256 claimedInCurrentRound;
    }

    mapping(address => Sender) private senders;
    mapping(address => ReserveInfo) private reserves;

    function fund(address sender, uint256 deposit, uint256 withdrawRound, uint256 reserve) external {
        senders[sender] = Sender(deposit, withdrawRound);
        reserves[sender] = ReserveInfo(reserve, 0);
    }

    function getSenderInfo(address sender) external view returns (Sender memory, ReserveInfo memory) {
        return (senders[sender], reserves[sender]);
    }

    /// As batchRedeemWinningTickets does; something that nobody asked for lies in between.
    function redeem(Ticket[] calldata tickets) external {
        for (uint256 i = 0; i < tickets.length; i++) {
            emit DepositFunded(tickets[i].sender, i);
            redeemOne(tickets[i], i);
        }
    }

    /// So many tickets alike; their amounts grow by one wei.
    function redeemMany(Ticket calldata ticket, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            Ticket memory next = ticket;
            next.amount += i;
            next.faceValue += i;
            redeemOne(next, i);
        }
    }

    function redeemOne(Ticket memory ticket, uint256 nonce) private {
        if (ticket.amount > 0) {
            emit WinningTicketTransfer(ticket.sender, ticket.recipient, ticket.amount);
        }
        emit WinningTicketRedeemed(
            ticket.sender, ticket.recipient, ticket.faceValue, ticket.winProb, nonce, 2, ticket.auxData
        );
    }
}

/// What the registries of service URIs and Chainlink's feeds answer.
contract Registry {
    mapping(address => string) private uris;
    int256 private answer;
    uint256 private updatedAt;

    function setServiceURI(address recipient, string calldata uri) external {
        uris[recipient] = uri;
    }

    function getServiceURI(address recipient) external view returns (string memory) {
        return uris[recipient];
    }

    function setAnswer(int256 price, uint256 at) external {
        answer = price;
        updatedAt = at;
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, answer, updatedAt, updatedAt, 1);
    }
}

/// Stands for ENS's universal resolver: it answers what it was told to.
contract Resolver {
    mapping(bytes32 => bytes) private answers;

    function set(bytes calldata name, bytes calldata answer) external {
        answers[keccak256(name)] = answer;
    }

    function resolve(bytes calldata name, bytes calldata) external view returns (bytes memory, address) {
        return (answers[keccak256(name)], address(this));
    }
}
